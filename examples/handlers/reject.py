"""Refuses callers who are on a list, without answering: they hear the busy tone."""

REFUSED = {"+12045550199"}


def lambda_handler(event, context):
    if event["InvocationEventType"] != "NEW_INBOUND_CALL":
        return {"SchemaVersion": "1.0", "Actions": []}
    caller = event["CallDetails"]["Participants"][0]["From"]
    if caller in REFUSED:
        return {"SchemaVersion": "1.0", "Actions": [{"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}}]}
    welcome = {"Type": "Speak", "Parameters": {"Text": "Hello."}}
    return {"SchemaVersion": "1.0", "Actions": [welcome, {"Type": "Hangup", "Parameters": {}}]}
