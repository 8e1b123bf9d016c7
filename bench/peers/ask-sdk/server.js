// The skill that the component is measured against: a LaunchRequest answered by Amazon's SDK behind its express adapter.
//
//   node server.js TRUST     TRUST: a file with { root: PEM, chains: { URL: PEM } }
//
// Prints its port once it listens.
'use strict';
const { readFileSync } = require('node:fs');

require('../../../host-tests/judges/trust')(JSON.parse(readFileSync(process.argv[2], 'utf8')));

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
