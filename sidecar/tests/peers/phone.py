"""A PJSIP phone that is told what to do on its standard input, and says on its standard output what happened.

One command a line, words separated by blanks; one JSON object a line back.
"""

import json
import os
import queue
import sys
import threading
import time

import pjsua2 as pj


def tell(kind, **more):
    print(json.dumps({"event": kind, **more}), flush=True)


def is_complete(path):
    """Whether a WAV file is written: PJSIP closes it, and puts its size at its head, in a thread of its own."""
    with open(path, "rb") as file:
        head = file.read(8)
        return len(head) == 8 and int.from_bytes(head[4:], "little") + 8 == os.fstat(file.fileno()).st_size


class Call(pj.Call):
    def __init__(self, phone, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(phone.account, call_id)
        self.phone = phone
        self.media = None

    def onCallState(self, prm):
        info = self.getInfo()
        tell("state", call=self.phone.name_of(self), state=info.stateText, code=info.lastStatusCode,
             remote=info.remoteUri, contact=info.remoteContact)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.gone.append(self)

    def onCallMediaState(self, prm):
        info = self.getInfo()
        for index, medium in enumerate(info.media):
            if medium.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            stream = None
            speaks = medium.status == pj.PJSUA_CALL_MEDIA_LOCAL_HOLD and medium.dir & pj.PJMEDIA_DIR_ENCODING
            if speaks or medium.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD):
                self.media = self.getAudioMedia(index)
                self.phone.tone.startTransmit(self.media)
                stream = self.getStreamInfo(index)
            tell("media", call=self.phone.name_of(self), status=medium.status, direction=medium.dir,
                 remote=stream.remoteRtpAddress if stream else "", codec=stream.codecName if stream else "")

    def onCallTransferStatus(self, prm):
        tell("transfer", call=self.phone.name_of(self), code=prm.statusCode, final=prm.finalNotify)

    def onCallTransferRequest(self, prm):
        tell("transfer-request", call=self.phone.name_of(self), target=prm.dstUri)
        new = Call(self.phone)
        prm.newCall = new
        self.phone.keep(new)

    def onCallReplaceRequest(self, prm):
        tell("replace-request", call=self.phone.name_of(self))

    def onCallReplaced(self, prm):
        tell("replaced", call=self.phone.name_of(self))
        self.phone.keep(Call(self.phone, prm.newCallId))

    def onDtmfDigit(self, prm):
        tell("digit", call=self.phone.name_of(self), digit=prm.digit)


class Account(pj.Account):
    def __init__(self, phone):
        super().__init__()
        self.phone = phone

    def onIncomingCall(self, prm):
        call = Call(self.phone, prm.callId)
        name = self.phone.keep(call)
        tell("incoming", call=name, message=prm.rdata.wholeMsg)
        if self.phone.answers:
            answer = pj.CallOpParam()
            answer.statusCode = self.phone.answers
            call.answer(answer)

    def onRegState(self, prm):
        info = self.getInfo()
        tell("registration", code=prm.code, active=info.regIsActive, expires=prm.expiration)

    def onInstantMessage(self, prm):
        tell("message", text=prm.msgBody)


class Phone:
    def __init__(self, settings):
        self.calls = {}
        self.gone = []
        self.recordings = []
        self.closing = []
        self.account = None
        self.answers = settings.get("answers", 0)
        config = pj.EpConfig()
        config.logConfig.level = settings.get("log", 0)
        config.logConfig.consoleLevel = settings.get("log", 0)
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.medConfig.ecTailLen = 0
        # A tone that goes on is no noise that may be left out.
        config.medConfig.noVad = True
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        self.endpoint.libInit(config)
        self.endpoint.audDevManager().setNullDev()
        if settings.get("codecs"):
            for known in self.endpoint.codecEnum2():
                wanted = [name for name in settings["codecs"] if known.codecId.startswith(name)]
                self.endpoint.codecSetPriority(known.codecId, 255 - settings["codecs"].index(wanted[0]) if wanted else 0)
        transport = pj.TransportConfig()
        transport.boundAddress = settings.get("address", "127.0.0.1")
        transport.port = 0
        kind = pj.PJSIP_TRANSPORT_TCP if settings.get("tcp") else pj.PJSIP_TRANSPORT_UDP
        number = self.endpoint.transportCreate(kind, transport)
        self.endpoint.libStart()
        self.port = int(self.endpoint.transportGetInfo(number).localAddress.rsplit(":", 1)[1])
        account = pj.AccountConfig()
        account.idUri = settings.get("id", f"sip:phone@{transport.boundAddress}:{self.port}")
        account.mediaConfig.transportConfig.boundAddress = transport.boundAddress
        account.mediaConfig.transportConfig.port = 0
        account.callConfig.prackUse = settings.get("prack", pj.PJSUA_100REL_NOT_USED)
        account.callConfig.timerUse = settings.get("timer", pj.PJSUA_SIP_TIMER_INACTIVE)
        account.callConfig.timerSessExpiresSec = settings.get("expires", 1800)
        account.callConfig.timerMinSESec = 90
        account.mediaConfig.srtpUse = settings.get("srtp", pj.PJMEDIA_SRTP_DISABLED)
        account.mediaConfig.srtpSecureSignaling = 0
        if settings.get("suites"):
            account.mediaConfig.srtpOpt.cryptos = pj.SrtpCryptoVector()
            for name in settings["suites"]:
                suite = pj.SrtpCrypto()
                suite.name = name
                account.mediaConfig.srtpOpt.cryptos.append(suite)
        if settings.get("user"):
            account.sipConfig.authCreds.append(
                pj.AuthCredInfo("digest", "*", settings["user"], 0, settings["password"]))
        if settings.get("registrar"):
            account.regConfig.registrarUri = settings["registrar"]
            account.regConfig.timeoutSec = settings.get("register-seconds", 300)
            account.regConfig.retryIntervalSec = 0
        self.account = Account(self)
        self.account.create(account)
        self.tone = pj.ToneGenerator()
        self.tone.createToneGenerator()
        tone = pj.ToneDesc()
        tone.freq1 = int(settings.get("tone", 440))
        tone.freq2 = 0
        tone.on_msec = 1000
        tone.off_msec = 0
        tones = pj.ToneDescVector()
        tones.append(tone)
        self.tone.play(tones, True)
        tell("ready", port=self.port, suites=list(self.endpoint.srtpCryptoEnum()))

    def keep(self, call):
        name = str(len(self.calls) + 1)
        self.calls[name] = call
        return name

    def name_of(self, call):
        return next((name for name, known in self.calls.items() if known is call), "")

    def run(self, commands):
        while True:
            self.endpoint.libHandleEvents(10)
            self.end_recordings()
            try:
                words = commands.get_nowait().split()
            except queue.Empty:
                continue
            if not words or words[0] == "quit":
                break
            try:
                getattr(self, "do_" + words[0].replace("-", "_"))(*words[1:])
            except pj.Error as error:
                tell("error", command=words[0], info=error.info())
        # PJSIP's own end asserts when it meets Python's; the process is all that is left to end.
        os._exit(0)

    def do_call(self, uri, *headers):
        call = Call(self)
        name = self.keep(call)
        prm = pj.CallOpParam(True)
        for pair in headers:
            header = pj.SipHeader()
            header.hName, header.hValue = pair.split("=", 1)
            prm.txOption.headers.append(header)
        call.makeCall(uri, prm)
        tell("calling", call=name)

    def do_answer(self, name, code):
        prm = pj.CallOpParam()
        prm.statusCode = int(code)
        self.calls[name].answer(prm)

    def do_hold(self, name):
        self.calls[name].setHold(pj.CallOpParam())

    def do_resume(self, name):
        prm = pj.CallOpParam(True)
        prm.opt.flag = pj.PJSUA_CALL_UNHOLD
        self.calls[name].reinvite(prm)

    def do_update(self, name):
        self.calls[name].update(pj.CallOpParam(True))

    def do_reinvite(self, name):
        self.calls[name].reinvite(pj.CallOpParam(True))

    def do_transfer(self, name, uri):
        self.calls[name].xfer(uri, pj.CallOpParam())

    def do_transfer_replacing(self, name, other):
        self.calls[name].xferReplaces(self.calls[other], pj.CallOpParam())

    def do_digits_by_info(self, name, digits):
        prm = pj.CallSendDtmfParam()
        prm.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
        prm.digits = digits
        self.calls[name].sendDtmf(prm)

    def do_message(self, name, text):
        prm = pj.SendInstantMessageParam()
        prm.content = text
        self.calls[name].sendInstantMessage(prm)

    def do_dial(self, name, digits):
        self.calls[name].dialDtmf(digits)

    def do_ask(self, name):
        """A re-INVITE without an offer."""
        prm = pj.CallOpParam(True)
        prm.opt.flag = pj.PJSUA_CALL_NO_SDP_OFFER
        self.calls[name].reinvite(prm)

    def do_call_without_offer(self, uri):
        call = Call(self)
        name = self.keep(call)
        prm = pj.CallOpParam(True)
        prm.opt.flag = pj.PJSUA_CALL_NO_SDP_OFFER
        call.makeCall(uri, prm)
        tell("calling", call=name)

    def do_direct(self, name, direction, method="reinvite"):
        prm = pj.CallOpParam(True)
        prm.opt.flag = pj.PJSUA_CALL_SET_MEDIA_DIR
        prm.opt.mediaDir = pj.IntVector([{
            "inactive": pj.PJMEDIA_DIR_NONE, "sendonly": pj.PJMEDIA_DIR_ENCODING,
            "recvonly": pj.PJMEDIA_DIR_DECODING, "sendrecv": pj.PJMEDIA_DIR_ENCODING_DECODING,
        }[direction]])
        getattr(self.calls[name], method)(prm)

    def do_record(self, name, path, seconds):
        """What a call hears for so long, as a WAV file that is complete when `recorded` is told."""
        media = self.calls[name].media
        if not media:
            return tell("recorded", call=name, path="")
        recorder = pj.AudioMediaRecorder()
        recorder.createRecorder(path)
        media.startTransmit(recorder)
        self.recordings.append((time.monotonic() + float(seconds), name, path, recorder))

    def end_recordings(self):
        due = [one for one in self.recordings if one[0] <= time.monotonic()]
        self.recordings = [one for one in self.recordings if one not in due]
        while due:
            _, name, path, recorder = due.pop()
            del recorder
            self.closing.append((name, path))
        for one in [one for one in self.closing if is_complete(one[1])]:
            self.closing.remove(one)
            tell("recorded", call=one[0], path=one[1])

    def do_level(self, name):
        media = self.calls[name].media
        tell("level", call=name, level=media.getRxLevel() if media else 0)

    def do_hangup(self, name):
        self.calls[name].hangup(pj.CallOpParam())


def main():
    commands = queue.Queue()

    def read():
        for line in sys.stdin:
            commands.put(line.strip())
        commands.put("quit")

    threading.Thread(target=read, daemon=True).start()
    Phone(json.loads(sys.argv[1])).run(commands)


main()
