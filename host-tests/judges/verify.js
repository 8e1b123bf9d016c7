// Judges signed requests by Amazon's own verifier (ask-sdk-express-adapter).
//
// In: { root: PEM, chains: { URL: PEM }, cases: [{ headers, body, cached }] }; cached: the chain has been verified before. Out: [null or the refusal], one a case.
// Nothing of the verifier is changed: only the root that Node trusts, and the place that chains are fetched from.
'use strict';
const { readFileSync } = require('node:fs');
const { EventEmitter } = require('node:events');
const Module = require('node:module');

const { root, chains, cases } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

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

const { SkillRequestSignatureVerifier, TimestampVerifier } = require('ask-sdk-express-adapter');

async function judge({ headers, body, cached }) {
    try {
        const verifier = new SkillRequestSignatureVerifier();
        const url = headers.SignatureCertChainUrl;
        if (cached) verifier.certCache.set(url, chains[url]);
        await verifier.verify(body, headers);
        await new TimestampVerifier().verify(body);
        return null;
    } catch (error) {
        return String(error.message);
    }
}

Promise.all(cases.map(judge)).then((judged) => process.stdout.write(JSON.stringify(judged)));
