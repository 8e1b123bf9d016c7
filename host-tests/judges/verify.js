// Judges signed requests by Amazon's own verifier (ask-sdk-express-adapter).
//
// In: { root: PEM, chains: { URL: PEM }, cases: [{ headers, body, cached }] }; cached: the chain has been verified before. Out: [null or the refusal], one a case.
'use strict';
const { readFileSync } = require('node:fs');

const { root, chains, cases } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

require('./trust')({ root, chains });
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
