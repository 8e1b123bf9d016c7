// Lets Amazon's verifier (ask-sdk-express-adapter) trust an authority of ours. Nothing of the verifier is changed: only the root
// that Node trusts, and the place that chains are fetched from. To be called before the verifier is loaded.
'use strict';
const { EventEmitter } = require('node:events');
const Module = require('node:module');

// root: PEM; chains: { URL: PEM }
module.exports = function trust({ root, chains }) {
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
};
