// A plug-in that does what plug-ins must not do: the caller's number says what.
const actions = {
  "+12045550181": () => { throw new Error("a trap"); },
  "+12045550182": () => [{ tag: "other", val: JSON.stringify({ Type: "Sing", Parameters: {} }) }],
  "+12045550183": () => [{ tag: "pause", val: { durationMs: 0 } }],
  "+12045550184": () => { for (;;); },
};

export const customFlow = {
  decide(event) {
    return actions[event.call.participants[0].caller]?.();
  },
};
