// A plug-in that decides calls, in JavaScript: outside the desk's hours callers hear so, and may leave a message.
// `npm install && npm run build` makes flow.wasm of it; the types are those of wit/deps/skillcall-flow, in lowerCamelCase.

const OPENS = 7;
const CLOSES = 22;

const speak = (text) => ({ tag: "speak", val: { speech: { text } } });
const hangup = { tag: "hangup", val: {} };
const record = {
  tag: "record-audio",
  val: { durationSeconds: 60, silenceSeconds: 5, terminators: ["#"], bucket: "messages", prefix: "night" },
};

/** The hour of the call's first leg, in UTC. */
function hour(event) {
  const { startMs } = event.call.participants[0];
  return new Date(Number(startMs ?? 0n)).getUTCHours();
}

export const customFlow = {
  decide(event) {
    const open = hour(event) >= OPENS && hour(event) < CLOSES;
    // Undefined is none: by day the call plan decides.
    if (open) return undefined;
    switch (event.what.tag) {
      case "new-inbound-call":
        return [speak("The desk is closed. Please leave a message after the tone."), record];
      case "action-successful":
        return event.what.val.outcome.tag === "recorded" ? [speak("Thank you. Good night."), hangup] : [];
      case "action-failed":
        return [hangup];
      default:
        return [];
    }
  },
};
