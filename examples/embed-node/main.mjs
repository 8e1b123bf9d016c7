// Reads one JSON object a line, { trusted: BODY }, { headers, body } or { event: EVENT }, and writes what the skill answers.
//   node main.mjs skillcall.wasm FOLDER SETTINGS.json
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { load } from "./skill.mjs";

const [component, folder, file] = process.argv.slice(2);
const settings = JSON.parse(await readFile(file, "utf8"));
// JSON has no bytes: the compiled plan stands there as base64.
settings.plan = Buffer.from(settings.plan, "base64");
const skill = await load(component, folder, { settings });
const encode = (text) => new TextEncoder().encode(text);
// Times are BigInt in a component's types, and numbers in JSON.
const withBigInts = (key, value) => (key === "startMs" && value !== undefined ? BigInt(value) : value);
const reply = ({ status, contentType, body }) => ({ status, contentType, body: JSON.parse(new TextDecoder().decode(body)) });

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line, withBigInts);
  let answer;
  if (order.trusted !== undefined) answer = reply(await skill.handleTrusted(encode(order.trusted)));
  else if (order.event) answer = await skill.decide(order.event);
  else answer = reply(await skill.handle(order.headers.map(([name, value]) => [name, encode(value)]), encode(order.body)));
  console.log(JSON.stringify(answer));
}
process.exit(0);
