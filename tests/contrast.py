"""The contrast between the texts of a page and their background."""

# For `page.evaluate`: the lowest ratio and its place, without the elements that a selector names.
# WCAG 2.2, relative luminance and contrast ratio: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
LOWEST_CONTRAST = """(skipped) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (...colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const [colour, share] of colours) {
      canvas.globalAlpha = share; canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    }
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, n) => {
    const part = colour[n] / 255;
    return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  }, 0);
  let lowest = [21, ""];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (skipped && element.closest(skipped)) continue;
    if (!own || element.tagName === "title" || !element.checkVisibility({ opacityProperty: true })) continue;
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.unshift([getComputedStyle(each).backgroundColor, 1]);
    }
    const style = getComputedStyle(element), isDrawn = element instanceof SVGElement;
    if (isDrawn) {
      for (const box of element.parentElement.querySelectorAll(":scope > rect.well, :scope > rect.heat")) {
        if (element.parentElement.querySelectorAll(":scope > rect.heat").length !== 1) continue;
        layers.push([getComputedStyle(box).fill, parseFloat(box.getAttribute("fill-opacity") ?? 1)]);
      }
    }
    const ink = [isDrawn ? style.fill : style.color, 1];
    const shades = [luminance(rgb(...layers)), luminance(rgb(...layers, ink))].sort((a, b) => a - b);
    const ratio = (shades[1] + 0.05) / (shades[0] + 0.05);
    if (ratio < lowest[0]) lowest = [ratio, element.outerHTML.slice(0, 160)];
  }
  return lowest;
}"""
