"""The control API, used as Amazon's SDK uses Amazon's: one step a line on stdin, one JSON reply a line on stdout."""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def client(service, endpoint, secret):
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 1}, parameter_validation=False),
    )


def main():
    endpoint, secret = sys.argv[1:]
    clients = {
        "voice": client("chime-sdk-voice", endpoint, secret),
        "meetings": client("chime-sdk-meetings", endpoint, secret),
    }
    for line in sys.stdin:
        step = json.loads(line)
        operation = getattr(clients[step["service"]], step["operation"])
        try:
            reply = operation(**step["parameters"])
            status = reply.pop("ResponseMetadata")["HTTPStatusCode"]
            out = {"status": status, "reply": reply}
        except ClientError as error:
            # The class is made from the service model: an error name that it has not is a plain ClientError.
            out = {
                "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
                "error": type(error).__name__,
                "message": error.response["Error"]["Message"],
            }
        print(json.dumps(out, default=str), flush=True)


main()
