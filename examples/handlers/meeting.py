"""Puts callers who know the PIN into a meeting, muted until they press 6; others hear why not.

Attendee and tokens would come from CreateMeeting and CreateAttendee of the Chime SDK.
"""
import os

MEETING = os.environ.get("MEETING_ID", "meeting")
TOKEN = os.environ.get("JOIN_TOKEN", "token")
ATTENDEE = os.environ.get("ATTENDEE_ID", "attendee")

PIN = {
    "Type": "SpeakAndGetDigits",
    "Parameters": {
        "CallId": "",
        "InputDigitsRegex": "[0-9]",
        "SpeechParameters": {"Text": "Please enter your PIN, and the pound key.", "Engine": "neural", "VoiceId": "Joanna"},
        "FailureSpeechParameters": {"Text": "That was no PIN."},
        "MaxNumberOfDigits": 6,
        "MinNumberOfDigits": 4,
        "TerminatorDigits": ["#"],
        "Repeat": 2,
        "InBetweenDigitsDurationInMilliseconds": 3000,
        "RepeatDurationInMilliseconds": 9000,
    },
}


def mute(leg, operation):
    parameters = {"Operation": operation, "MeetingId": MEETING, "CallId": leg["CallId"], "AttendeeList": [ATTENDEE]}
    return {"Type": "ModifyChimeMeetingAttendees", "Parameters": parameters}


def lambda_handler(event, _context):
    kind = event["InvocationEventType"]
    did = event.get("ActionData", {}).get("Type")
    legs = event["CallDetails"]["Participants"]
    actions = []
    if kind == "NEW_INBOUND_CALL":
        actions = [PIN]
    elif kind == "ACTION_SUCCESSFUL" and did == "SpeakAndGetDigits":
        joining = {"JoinToken": TOKEN, "MeetingId": MEETING, "CallId": legs[0]["CallId"]}
        actions = [{"Type": "JoinChimeMeeting", "Parameters": joining}]
    elif kind == "ACTION_SUCCESSFUL" and did == "JoinChimeMeeting":
        listener = {
            "CallId": legs[0]["CallId"],
            "InputDigitsRegex": "^[56]$",
            "InBetweenDigitsDurationInMilliseconds": 500,
            "FlushDigitsDurationInMilliseconds": 5000,
        }
        actions = [mute(legs[1], "Mute"), {"Type": "ReceiveDigits", "Parameters": listener}]
    elif kind == "DIGITS_RECEIVED":
        actions = [mute(legs[1], "Unmute" if event["ActionData"]["ReceivedDigits"] == "6" else "Mute")]
    elif kind == "HANGUP":
        # The meeting's leg stays when the caller has gone.
        others = [leg["CallId"] for leg in legs if leg.get("Status") == "Connected"]
        actions = [{"Type": "Hangup", "Parameters": {"CallId": other}} for other in others]
    elif kind == "ACTION_FAILED":
        text = {"SpeakAndGetDigits": "Goodbye.", "JoinChimeMeeting": "The meeting is over."}.get(did, "Sorry.")
        actions = [{"Type": "Speak", "Parameters": {"Text": text}}, {"Type": "Hangup", "Parameters": {"SipResponseCode": "0"}}]
    return {"SchemaVersion": "1.0", "Actions": actions}
