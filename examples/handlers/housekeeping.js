// A bot asks what the guest needs; its result is read out, or somebody is called when the bot could not help.
'use strict';

const BOT = process.env.BOT_ALIAS_ARN || 'arn:aws:lex:us-east-1:111122223333:bot-alias/ABCDEFGHIJ/TSTALIASID';

const converse = () => ({
    Type: 'StartBotConversation',
    Parameters: {
        BotAliasArn: BOT,
        LocaleId: 'en_US',
        Configuration: {
            SessionState: { SessionAttributes: { hotel: 'north' }, DialogAction: { Type: 'ElicitIntent' } },
            WelcomeMessages: [{ Content: 'Housekeeping. Please dial your room.', ContentType: 'PlainText' }],
        },
    },
});

const speak = (text) => ({ Type: 'Speak', Parameters: { Text: text, Engine: 'neural', LanguageCode: 'en-US' } });
const hangUp = { Type: 'Hangup', Parameters: { SipResponseCode: '0' } };
const desk = (from) => ({
    Type: 'CallAndBridge',
    Parameters: {
        CallTimeoutSeconds: 30,
        CallerIdNumber: from,
        Endpoints: [{ BridgeEndpointType: 'PSTN', Uri: process.env.DESK_NUMBER || '+16075550101' }],
    },
});

function decide(event) {
    switch (event.InvocationEventType) {
        case 'NEW_INBOUND_CALL':
            return [converse()];
        case 'ACTION_SUCCESSFUL': {
            if (event.ActionData.Type !== 'StartBotConversation') return [];
            const { Intent: intent } = event.ActionData.IntentResult.SessionState;
            if (intent.State !== 'Fulfilled') return [speak('One moment.'), desk(event.CallDetails.Participants[0].To)];
            const towels = intent.Slots.towels.Value.InterpretedValue;
            return [speak(`We bring ${towels} towels.`), hangUp];
        }
        case 'ACTION_FAILED':
            if (event.ActionData.Type !== 'StartBotConversation') return [hangUp];
            console.log(`the bot: ${event.ActionData.ErrorType} ${event.ActionData.ErrorMessage}`);
            return [desk(event.CallDetails.Participants[0].To)];
        case 'HANGUP':
            return [hangUp];
        default:
            return [];
    }
}

exports.handler = async (event) => ({ SchemaVersion: '1.0', Actions: decide(event) });
