// Judges signed requests by Amazon's own verifier (ask-sdk-express-adapter).
//
// In: { root: PEM, chains: { URL: PEM }, cases: [{ headers, body, cached, at }] }; cached: the chain has been verified before; at: when the
// skill had the request, in milliseconds since 1970. Out: [null or the refusal], one a case.
'use strict';
const { readFileSync } = require('node:fs');

const { root, chains, cases } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

require('./trust')({ root, chains });
const { SkillRequestSignatureVerifier, TimestampVerifier } = require('ask-sdk-express-adapter');

// The age of a request is judged as of when the skill judged it, however much later this is.
function verifyTimestamp(body, at) {
    const System = Date;
    globalThis.Date = class extends System {
        constructor(...parts) {
            super(...(parts.length === 0 ? [at] : parts));
        }
        static now() {
            return at;
        }
    };
    try {
        return new TimestampVerifier().verify(body);
    } finally {
        globalThis.Date = System;
    }
}

async function judge({ headers, body, cached, at }) {
    try {
        const verifier = new SkillRequestSignatureVerifier();
        const url = headers.SignatureCertChainUrl;
        if (cached) verifier.certCache.set(url, chains[url]);
        await verifier.verify(body, headers);
        await verifyTimestamp(body, at);
        return null;
    } catch (error) {
        return String(error.message);
    }
}

Promise.all(cases.map(judge)).then((judged) => process.stdout.write(JSON.stringify(judged)));
