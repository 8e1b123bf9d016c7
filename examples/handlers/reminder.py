"""Calls somebody and reads a reminder; an update of the call says what changed meanwhile.

CreateSipMediaApplicationCall's ArgumentsMap gives the text; it travels in TransactionAttributes.
"""


def speak(text):
    return {"Type": "Speak", "Parameters": {"Text": f"<speak>{text}<break time='500ms'/></speak>", "TextType": "ssml", "CallId": ""}}


def pause(milliseconds):
    return {"Type": "Pause", "Parameters": {"DurationInMilliseconds": str(milliseconds), "ParticipantTag": "LEG-A"}}


HANG_UP = {"Type": "Hangup", "Parameters": {"SipResponseCode": "0", "ParticipantTag": "LEG-A"}}


def lambda_handler(event, context):
    kind = event["InvocationEventType"]
    kept = event["CallDetails"].get("TransactionAttributes", {})
    reply = {"SchemaVersion": "1.0", "Actions": []}
    print(f"{context.aws_request_id} {kind} {event.get('ActionData', {}).get('Type', '')}")
    if kind == "NEW_OUTBOUND_CALL":
        arguments = event["ActionData"]["Parameters"]["Arguments"]
        reply["TransactionAttributes"] = {"text": arguments.get("text", "You have a reminder.")}
    elif kind == "CALL_ANSWERED":
        reply["Actions"] = [pause(1000), speak(kept["text"]), pause(10000), HANG_UP]
    elif kind == "CALL_UPDATE_REQUESTED":
        text = event["ActionData"]["Parameters"]["Arguments"]["text"]
        reply["Actions"] = [speak(text), HANG_UP]
        reply["TransactionAttributes"] = {"text": text}
    return reply
