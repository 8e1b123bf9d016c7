// Type-checks replies by ask-sdk-model's definitions, with TypeScript at its strictest.
//
// In: [response envelope]. Out: [{ index, message }] of what does not fit.
'use strict';
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const ts = require('typescript');

const given = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const file = join(__dirname, 'judged.ts');
const lines = ["import { ResponseEnvelope } from 'ask-sdk-model';"];
given.forEach((value, index) => {
    lines.push(`export const reply${index}: ResponseEnvelope = ${JSON.stringify(value)};`);
});
const source = lines.join('\n');
const options = {
    noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true, types: [],
    target: ts.ScriptTarget.ES2020, module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10,
};
const host = ts.createCompilerHost(options);
const read = host.getSourceFile.bind(host);
host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, source, options.target) : read(name, ...rest);
const exists = host.fileExists.bind(host);
host.fileExists = (name) => name === file || exists(name);
const program = ts.createProgram([file], options, host);
const found = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
    if (!diagnostic.file || diagnostic.start === undefined) return { message };
    const { line } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start);
    return { index: line - 1, message };
});
process.stdout.write(JSON.stringify(found));
