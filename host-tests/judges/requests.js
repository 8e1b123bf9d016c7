// Reads requests by ask-sdk-core's helpers and compares what they find with what stands there.
//
// In: [request envelope]. Out: [a list of what the helpers miss], one a request; empty lists are well.
'use strict';
const { readFileSync } = require('node:fs');
const { deepStrictEqual } = require('node:assert');
const ask = require('ask-sdk-core');

function judge(envelope) {
    const { request, session, context } = envelope;
    const wrong = [];
    const same = (what, found, stands) => {
        try {
            deepStrictEqual(found ?? null, stands ?? null);
        } catch {
            wrong.push(`${what}: found ${JSON.stringify(found)}, stands ${JSON.stringify(stands)}`);
        }
    };
    same('type', ask.getRequestType(envelope), request.type);
    same('locale', ask.getLocale(envelope), request.locale);
    same('request', ask.getRequest(envelope), request);
    same('apiAccessToken', ask.getApiAccessToken(envelope), context.System.apiAccessToken);
    same('userId', ask.getUserId(envelope), context.System.user.userId);
    same('accessToken', ask.getAccountLinkingAccessToken(envelope), context.System.user.accessToken);
    if (context.System.device) {
        same('deviceId', ask.getDeviceId(envelope), context.System.device.deviceId);
        same('interfaces', ask.getSupportedInterfaces(envelope), context.System.device.supportedInterfaces);
    }
    if (session) {
        same('new', ask.isNewSession(envelope), session.new);
        same('application', session.application.applicationId, context.System.application.applicationId);
    }
    if (request.type === 'IntentRequest') {
        same('intent', ask.getIntentName(envelope), request.intent.name);
        same('dialogState', ask.getDialogState(envelope), request.dialogState);
        for (const [name, slot] of Object.entries(request.intent.slots ?? {})) {
            same(`slot ${name}`, ask.getSlot(envelope, name), slot);
            same(`value of ${name}`, ask.getSlotValue(envelope, name), slot.value);
            if (slot.slotValue) {
                const simple = ask.getSimpleSlotValues(ask.getSlotValueV2(envelope, name));
                const stands = slot.slotValue.type === 'List' ? slot.slotValue.values : [slot.slotValue];
                same(`simple values of ${name}`, simple, stands);
            }
        }
    }
    if (Number.isNaN(Date.parse(request.timestamp))) wrong.push(`timestamp ${request.timestamp}`);
    return wrong;
}

const judged = JSON.parse(readFileSync(process.argv[2], 'utf8')).map((envelope) => {
    try {
        return judge(envelope);
    } catch (error) {
        return [String(error.message)];
    }
});
process.stdout.write(JSON.stringify(judged));
