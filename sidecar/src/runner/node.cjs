'use strict';
// Runs a handler file as AWS Lambda's Node.js runtime does, behind Lambda's invocation path.
// Its settings come in SKILLCALL_RUNNER as JSON: {file, handler, name, host, port, token, timeoutMs, concurrency}.
const http = require('node:http');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { randomUUID } = require('node:crypto');

const settings = JSON.parse(process.env.SKILLCALL_RUNNER);
delete process.env.SKILLCALL_RUNNER;
const MOST_BYTES = 6 * 1024 * 1024;
const invocations = new RegExp('^/2015-03-31/functions/[^/]+/invocations(\\?.*)?$');

function problem(errorType, error) {
  const message = error && error.message !== undefined ? String(error.message) : String(error);
  const stack = error && error.stack ? String(error.stack).split('\n').slice(1).map((line) => line.trim()) : [];
  return { errorType, errorMessage: message, trace: [`${errorType}: ${message}`, ...stack] };
}

// A failure while the file is loaded is every invocation's, as at Lambda.
async function load() {
  try {
    const module = await import(pathToFileURL(settings.file).href);
    let found = module;
    const names = settings.handler.split('.');
    for (const name of names) found = found && (found[name] ?? (found.default && found.default[name]));
    if (typeof found !== 'function') {
      throw Object.assign(new Error(`${path.basename(settings.file)} exports no function ${settings.handler}`), { type: 'Runtime.HandlerNotFound' });
    }
    return { handler: found };
  } catch (error) {
    const type = error && (error.type || (error instanceof SyntaxError && 'Runtime.UserCodeSyntaxError')
      || (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND' ? 'Runtime.ImportModuleError' : error.name)) || 'Error';
    console.error(error);
    return { failed: problem(type, error) };
  }
}

function invoke(handler, event, requestId) {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + settings.timeoutMs;
    const timer = setTimeout(() => {
      const seconds = (settings.timeoutMs / 1000).toFixed(2);
      resolve({ failed: { errorMessage: `${new Date().toISOString()} ${requestId} Task timed out after ${seconds} seconds` } });
    }, settings.timeoutMs);
    const done = (error, value) => {
      clearTimeout(timer);
      if (error !== null && error !== undefined) resolve({ failed: problem((error && error.name) || 'Error', error) });
      else resolve({ value });
    };
    const region = process.env.AWS_REGION;
    const context = {
      callbackWaitsForEmptyEventLoop: true,
      functionName: settings.name,
      functionVersion: '$LATEST',
      invokedFunctionArn: `arn:aws:lambda:${region}:111122223333:function:${settings.name}`,
      memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      awsRequestId: requestId,
      logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
      getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
      done,
      succeed: (value) => done(null, value),
      fail: (error) => done(error ?? new Error('fail')),
    };
    try {
      const returned = handler(event, context, done);
      if (returned && typeof returned.then === 'function') {
        returned.then((value) => done(null, value), (error) => done(error ?? new Error('rejected')));
      } else if (handler.length < 3 && returned !== undefined) {
        done(null, returned);
      }
    } catch (error) {
      done(error);
    }
  });
}

// Lambda gives an execution environment one event at a time.
const waiting = [];
let running = 0;
async function place() {
  if (running >= settings.concurrency) await new Promise((resolve) => waiting.push(resolve));
  else running += 1;
}
function leave() {
  const next = waiting.shift();
  if (next) next();
  else running -= 1;
}

function send(response, status, headers, body) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body);
}

async function answer(loaded, request, response) {
  if (request.method === 'GET' && request.url === '/health') return send(response, 200, {}, '{"status":"ok"}');
  if (request.method !== 'POST' || !invocations.test(request.url)) {
    return send(response, 404, { 'x-amzn-errortype': 'ResourceNotFoundException' },
      JSON.stringify({ Message: 'expected POST /2015-03-31/functions/NAME/invocations' }));
  }
  const pieces = [];
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    if (length > MOST_BYTES) {
      return send(response, 413, { 'x-amzn-errortype': 'RequestTooLargeException' }, '{"Message":"the payload is larger than 6 MB"}');
    }
    pieces.push(piece);
  }
  let event;
  try {
    event = length === 0 ? {} : JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (error) {
    return send(response, 400, { 'x-amzn-errortype': 'InvalidRequestContentException' },
      JSON.stringify({ Message: `the payload is no JSON: ${error.message}` }));
  }
  const requestId = randomUUID();
  await place();
  let outcome;
  try {
    outcome = loaded.failed ? { failed: loaded.failed } : await invoke(loaded.handler, event, requestId);
  } finally {
    leave();
  }
  const headers = { 'x-amzn-requestid': requestId, 'x-amz-executed-version': '$LATEST' };
  let body;
  try {
    body = JSON.stringify(outcome.failed ?? outcome.value ?? null);
  } catch (error) {
    outcome = { failed: problem('Runtime.MarshalError', error) };
    body = JSON.stringify(outcome.failed);
  }
  if (outcome.failed) {
    headers['x-amz-function-error'] = 'Unhandled';
    console.error(`${settings.name}: ${outcome.failed.errorType ?? 'time-out'}: ${outcome.failed.errorMessage}`);
  }
  return send(response, 200, headers, body ?? 'null');
}

// Whoever started this ends it by closing its standard input, even when it is killed.
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();

load().then((loaded) => {
  const server = http.createServer((request, response) => {
    answer(loaded, request, response).catch((error) => {
      console.error(error);
      if (!response.headersSent) send(response, 500, { 'x-amzn-errortype': 'ServiceException' }, '{"Message":"the runner failed"}');
    });
  });
  server.keepAliveTimeout = 60000;
  server.on('error', (error) => {
    console.log(`${settings.token} error ${error.message}`);
    process.exit(1);
  });
  server.listen(settings.port, settings.host, () => console.log(`${settings.token} port ${server.address().port}`));
});
