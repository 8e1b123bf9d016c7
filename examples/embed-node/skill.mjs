// The skill as a component in Node: transpiled once, and a fresh instance for each request, as in every other host.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { transpile } from "@bytecodealliance/jco-transpile";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";

/** `skillcall:host/state`: here a map in memory. A real host keeps it where it outlives the process. */
export class State {
  #entries = new Map();

  #live(key) {
    const entry = this.#entries.get(key);
    if (entry && entry.end > Date.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  #put(key, value, ttl) {
    this.#entries.set(key, { value, end: ttl === undefined ? Infinity : Date.now() + ttl * 1000 });
  }

  // An error of WIT is thrown: { tag: "unavailable", val: "…" }. None is undefined.
  imports() {
    return {
      get: (key) => this.#live(key),
      set: (key, value, ttl) => this.#put(key, value, ttl),
      delete: (key) => void this.#entries.delete(key),
      claim: (key, value, ttl) => {
        if (this.#live(key) !== undefined) return false;
        this.#put(key, value, ttl);
        return true;
      },
    };
  }
}

/** `skillcall:host/settings`: an object of texts, and of bytes for the plan. */
export function settingsOf(values) {
  const bytes = (value) => (typeof value === "string" ? new TextEncoder().encode(value) : value);
  return {
    get: (name) => (typeof values[name] === "string" ? values[name] : undefined),
    getBytes: (name) => (values[name] === undefined ? undefined : bytes(values[name])),
  };
}

/** Transpiles the component at `path` into `folder`, and gives what it exports; each call has an instance of its own. */
export async function load(path, folder, { state = new State(), settings }) {
  const { files } = await transpile(path, { name: "skill", instantiation: "async", noTypescript: true, outDir: folder });
  const written = files instanceof Map ? files : new Map(Object.entries(files));
  for (const [name, content] of written) {
    const file = name.startsWith(folder) ? name : join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  const { instantiate } = await import(pathToFileURL(join(folder, "skill.js")));
  const modules = new Map();
  const module = (name) => {
    if (!modules.has(name)) modules.set(name, readFile(join(folder, name)).then(WebAssembly.compile));
    return modules.get(name);
  };
  const imports = {
    ...new WASIShim().getImportObject(),
    "skillcall:host/state": state.imports(),
    "skillcall:host/settings": settingsOf(settings),
  };
  const fresh = () => instantiate(module, imports);
  return {
    /** A request of Alexa as it came over HTTPS: headers as [name, bytes], and the body's bytes. */
    handle: async (headers, body) => {
      const { skillRequests } = await fresh();
      return skillRequests.handle(headers.map(([name, value]) => ({ name, value })), body);
    },
    /** A request whose sender this host has authenticated itself. */
    handleTrusted: async (body) => (await fresh()).skillRequests.handleTrusted(body),
    /** An event of a call: what it does next. What a plug-in did not answer, the call plan decides when asked again. */
    decide: async (event) => {
      try {
        return (await fresh()).callFlow.decide(event);
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
        return (await fresh()).callFlow.decide(event);
      }
    },
  };
}
