"""An endpoint with the API of Bing image search 7, which wants a key."""

from tests.protocols.service import as_json

KEY = "the endpoint's key"


def image(number, **other):
    return {
        "imageId": f"{number:040X}",
        "name": f"Fighting movie scene {number}",
        "contentUrl": f"https://films.example/{number}.jpg",
        "hostPageUrl": f"https://films.example/{number}.html",
        "thumbnailUrl": f"https://tse.example/th?id={number}",
        "encodingFormat": "jpeg",
        "width": 1280,
        "height": 720,
        **other,
    }


def answering(images_of_queries):
    """Make the function that answers queries with their images; past the end it repeats the last page, like Bing."""

    def answer(request):
        if request.path != "/v7.0/images/search":
            return as_json({"error": {"code": "404"}}, 404)
        if request.headers.get("ocp-apim-subscription-key") != KEY:
            return as_json({"error": {"code": "401", "message": "Access denied due to invalid subscription key."}}, 401)
        count, offset = int(request.query.get("count", 35)), int(request.query.get("offset", 0))
        if not 1 <= count <= 150:
            return as_json({"error": {"code": "400", "message": "count"}}, 400)
        found = images_of_queries.get(request.query["q"], [])
        start = min(offset, max(len(found) - count, 0))
        return as_json(
            {
                "_type": "Images",
                "totalEstimatedMatches": len(found) * 7,
                "nextOffset": offset + count,
                "value": found[start : start + count],
            }
        )

    return answer
