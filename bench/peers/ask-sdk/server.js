// The skill that the component is measured against: a LaunchRequest answered by Amazon's SDK behind its express adapter.
//
//   node server.js TRUST     TRUST: a file with { root: PEM, chains: { URL: PEM } }
//
// Prints its port once it listens. Nothing of the SDK is changed: only the root that Node trusts, and the place that chains
// are fetched from.
'use strict';
const { readFileSync } = require('node:fs');
const { EventEmitter } = require('node:events');
const Module = require('node:module');

const { root, chains } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

function get(url, answer) {
    const request = new EventEmitter();
    request.end = () => setImmediate(() => {
        const response = new EventEmitter();
        response.statusCode = url in chains ? 200 : 404;
        response.setEncoding = () => {};
        answer(response);
        if (url in chains) response.emit('data', chains[url]);
        response.emit('end');
    });
    return request;
}

const load = Module._load;
Module._load = function (name, ...rest) {
    const real = load.call(this, name, ...rest);
    if (name === 'tls') return { ...real, rootCertificates: [root] };
    if (name === 'https') return { ...real, get };
    return real;
};

const { SkillBuilders, getRequestType } = require('ask-sdk-core');
const { ExpressAdapter } = require('ask-sdk-express-adapter');
const express = require('express');

const skill = SkillBuilders.custom()
    .addRequestHandlers({
        canHandle: ({ requestEnvelope }) => getRequestType(requestEnvelope) === 'LaunchRequest',
        handle: ({ responseBuilder }) =>
            responseBuilder.speak('Welcome. Who would you like to call?').reprompt('Who would you like to call?').getResponse(),
    })
    .create();

const app = express();
app.post('/alexa', new ExpressAdapter(skill, true, true).getRequestHandlers());
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
