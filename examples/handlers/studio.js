'use strict';
// Prompts from files, a code that is listened for, a recording that is paused while a card number is said, tones to a
// machine, and noise suppression. A CommonJS handler with a callback, as many older samples have it.
const file = (Key) => ({ Type: 'S3', BucketName: 'prompts', Key });

const steps = {
  NEW_INBOUND_CALL: (leg) => [
    { Type: 'VoiceFocus', Parameters: { Enable: true, CallId: leg } },
    { Type: 'StartCallRecording', Parameters: { CallId: leg, Track: 'BOTH', Destination: { Type: 'S3', Location: 'recordings/studio' } } },
    { Type: 'PlayAudio', Parameters: { CallId: leg, AudioSource: file('welcome.wav'), PlaybackTerminators: ['#'], Repeat: '2' } },
    {
      Type: 'PlayAudioAndGetDigits',
      Parameters: {
        CallId: leg,
        InputDigitsRegex: '^\\d{4}$',
        AudioSource: file('pin.wav'),
        FailureAudioSource: file('again.wav'),
        MinNumberOfDigits: 4,
        MaxNumberOfDigits: 4,
        TerminatorDigits: ['#'],
        Repeat: 3,
        RepeatDurationInMilliseconds: 6000,
      },
    },
  ],
  'ACTION_SUCCESSFUL PlayAudioAndGetDigits': (leg) => [
    { Type: 'PauseCallRecording', Parameters: { CallId: leg } },
    { Type: 'Pause', Parameters: { CallId: leg, DurationInMilliseconds: '2000' } },
    { Type: 'ResumeCallRecording', Parameters: { CallId: leg } },
    {
      Type: 'ReceiveDigits',
      Parameters: { CallId: leg, InputDigitsRegex: '^\\d{2}#$', InBetweenDigitsDurationInMilliseconds: 1000, FlushDigitsDurationInMilliseconds: 10000 },
    },
  ],
  DIGITS_RECEIVED: (leg, event) => [
    { Type: 'SendDigits', Parameters: { CallId: leg, Digits: event.ActionData.ReceivedDigits, ToneDurationInMilliseconds: 100 } },
    { Type: 'StopCallRecording', Parameters: { CallId: leg } },
    { Type: 'Hangup', Parameters: { CallId: leg } },
  ],
  'ACTION_FAILED PlayAudioAndGetDigits': (leg) => [{ Type: 'Hangup', Parameters: { CallId: leg, SipResponseCode: '480' } }],
};

exports.handler = (event, context, callback) => {
  const kind = event.InvocationEventType;
  const leg = event.CallDetails.Participants[0].CallId;
  const step = steps[`${kind} ${event.ActionData?.Type}`] ?? steps[kind];
  callback(null, { SchemaVersion: '1.0', Actions: step ? step(leg, event) : [], TransactionAttributes: { last: kind } });
};
