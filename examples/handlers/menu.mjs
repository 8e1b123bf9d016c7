// A menu: 1 is the desk, 2 leaves a message, anything else says goodbye.
// Written as for AWS Lambda; `skillcall handler run menu.mjs` runs it here.
const say = (Text) => ({ Type: 'Speak', Parameters: { Text, VoiceId: 'Joanna', Engine: 'neural', LanguageCode: 'en-US', TextType: 'text' } });
const hangup = { Type: 'Hangup', Parameters: { SipResponseCode: '0', ParticipantTag: '' } };
const DESK = process.env.DESK_NUMBER ?? '+14255550123';

const menu = {
  Type: 'SpeakAndGetDigits',
  Parameters: {
    InputDigitsRegex: '^[12]$',
    SpeechParameters: { Text: 'Press 1 for the desk, or 2 to leave a message.' },
    FailureSpeechParameters: { Text: 'Sorry, that is none of them.' },
    MinNumberOfDigits: 1,
    MaxNumberOfDigits: 1,
    Repeat: '2',
    RepeatDurationInMilliseconds: '5000',
    TerminatorDigits: ['#'],
  },
};

function bridge(event) {
  return {
    Type: 'CallAndBridge',
    Parameters: {
      CallTimeoutSeconds: '20',
      CallerIdNumber: event.CallDetails.Participants[0].From,
      Endpoints: [{ BridgeEndpointType: 'PSTN', Uri: DESK }],
    },
  };
}

const message = {
  Type: 'RecordAudio',
  Parameters: {
    CallId: '',
    DurationInSeconds: '60',
    SilenceDurationInSeconds: 3,
    SilenceThreshold: 200,
    RecordingTerminators: ['#'],
    RecordingDestination: { Type: 'S3', BucketName: 'recordings', Prefix: 'messages' },
  },
};

function actions(event) {
  const did = event.ActionData?.Type;
  switch (event.InvocationEventType) {
    case 'NEW_INBOUND_CALL':
      return [say('Welcome to the Harbour Hotel.'), menu];
    case 'ACTION_SUCCESSFUL':
      if (did === 'SpeakAndGetDigits') {
        return event.ActionData.ReceivedDigits === '1' ? [bridge(event)] : [say('Speak after the tone.'), message];
      }
      if (did === 'RecordAudio') return [say('Thank you.'), hangup];
      return [];
    case 'ACTION_FAILED':
      if (did === 'CallAndBridge') return [say('Nobody is at the desk.'), hangup];
      return [say('Goodbye.'), hangup];
    case 'HANGUP': {
      const other = event.CallDetails.Participants.find((leg) => leg.Status === 'Connected');
      return other ? [{ Type: 'Hangup', Parameters: { CallId: other.CallId, SipResponseCode: '0' } }] : [];
    }
    default:
      return [];
  }
}

export const handler = async (event) => {
  console.log(`${event.CallDetails.TransactionId} ${event.Sequence} ${event.InvocationEventType} ${event.ActionData?.Type ?? ''}`);
  return { SchemaVersion: '1.0', Actions: actions(event) };
};
