"""An object store that nobody here wrote: moto's S3, and Amazon's SDK to look into it.

Prints its port, then answers each line {"do": ..., "bucket": ..., "key": ..., "file": ...} with a line.
"""
import json
import logging
import sys

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
port = int(sys.argv[1])
server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
server.start()
port = server.get_host_and_port()[1]
s3 = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{port}",
    region_name="eu-central-1",
    aws_access_key_id="AKIDEXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI",
)


def answer(step):
    bucket = step.get("bucket")
    if step["do"] == "make":
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        return {}
    if step["do"] == "put":
        s3.upload_file(step["file"], bucket, step["key"])
        return {}
    if step["do"] == "list":
        return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    if step["do"] == "get":
        s3.download_file(bucket, step["key"], step["file"])
        head = s3.head_object(Bucket=bucket, Key=step["key"])
        return {"metadata": head["Metadata"], "type": head["ContentType"]}
    raise ValueError(step)


print(json.dumps({"port": port}), flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
server.stop()
