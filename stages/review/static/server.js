// Requests to the server: one after the other, in the order of the clicks and keys.

let queue = Promise.resolve();
export const waiting = { requests: 0 };

export function inOrder(work) {
  waiting.requests += 1;
  const done = queue.then(work);
  queue = done.catch(() => {}).finally(() => { waiting.requests -= 1; });
  return done;
}

export async function ask(path, body = null) {
  const options = body && {
    method: "POST", keepalive: true, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const reply = await fetch(path, options ?? {}).catch(() => {
    throw new Error("the server does not answer; start it again: python -m stages.review");
  });
  const values = await reply.json();
  if (!reply.ok) throw new Error(values.error);
  return values;
}
