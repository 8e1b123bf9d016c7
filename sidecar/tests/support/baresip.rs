//! baresip, a phone that nobody here wrote. It answers by itself, and dials when it is told to.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skillcall_media::{tone, wav};

use super::asterisk::free_port;
use super::{LIMIT, has_tone};

/// A running phone.
pub(crate) struct Baresip {
    folder: tempfile::TempDir,
    console: SocketAddr,
    child: Child,
}

impl Baresip {
    /// A phone of `desk` that is called where it listens, in one codec alone (`opus/48000/2`), and says a tone of `hz`; and where.
    pub(crate) fn alone(codec: &str, hz: f64) -> (Self, SocketAddr) {
        let listens = free_port();
        let account =
            format!("<sip:desk@{listens}>;regint=0;answermode=auto;audio_codecs={codec}\n");
        // Its source takes a file of the codec's own rate alone.
        let voice = match codec.starts_with("opus") {
            true => opus_voice(hz),
            false => narrow_voice(hz),
        };
        (Self::run(listens, &account, &voice), listens)
    }

    /// A phone of `user`, that registers with `registrar` by this transport and says a tone of `hz`.
    pub(crate) fn start(
        user: &str,
        password: &str,
        registrar: SocketAddr,
        transport: &str,
        hz: f64,
    ) -> Self {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let account = format!(
            "<sip:{user}@{registrar};transport={transport}>;auth_pass={password};regint=120;\
             answermode=auto;audio_codecs=PCMU\n"
        );
        Self::run(anywhere, &account, &narrow_voice(hz))
    }

    fn run(listens: SocketAddr, account: &str, voice: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().display().to_string();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        fs::write(folder.path().join("tone.wav"), voice).unwrap();
        let modules = [
            "/usr/lib/baresip/modules",
            "/usr/lib64/baresip/modules",
            "/usr/local/lib/baresip/modules",
        ]
        .into_iter()
        .find(|path| Path::new(path).is_dir())
        .expect("baresip's modules; tools/setup.sh test installs them");
        let console = free_port();
        write(
            "config",
            &format!(
                "sip_listen\t{listens}\naudio_path\t{inside}\naudio_player\taubridge,nobody\n\
                 audio_source\taufile,{inside}/tone.wav\naudio_alert\taufile,{inside}/alert.wav\n\
                 audio_srate\t8000\naudio_channels\t1\nmodule_path\t{modules}\nmodule\tg711.so\n\
                 module\topus.so\nmodule\tg722.so\nopus_inbandfec\tyes\n\
                 module\taufile.so\nmodule\taubridge.so\nmodule\tsndfile.so\nmodule\tcons.so\n\
                 cons_listen\t{console}\nsnd_path\t{inside}\nmodule_app\taccount.so\n\
                 module_app\tmenu.so\nrtp_ports\t20000-29999\n"
            ),
        );
        write("contacts", "");
        write("accounts", account);
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .arg("-s")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("baresip starts; tools/setup.sh test installs it");
        Self {
            folder,
            console,
            child,
        }
    }

    /// One of its commands: `/dial URI`, `/hangup`.
    pub(crate) fn order(&self, command: &str) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .send_to(format!("{command}\n").as_bytes(), self.console)
            .unwrap();
    }

    /// Waits until its log has a line with this text.
    pub(crate) fn logs(&self, text: &str) {
        let until = Instant::now() + LIMIT;
        while !self.log().contains(text) {
            assert!(Instant::now() < until, "{text}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it has written down of what it heard in a call that has ended, at the line's rate.
    pub(crate) fn recordings(&self) -> Vec<Vec<i16>> {
        let files = fs::read_dir(self.folder.path()).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|path| path.to_string_lossy().ends_with("-dec.wav"));
        files.sort_unstable();
        let audio = files.iter().filter_map(|path| wav::read_file(path).ok());
        audio.map(|audio| audio.samples).collect()
    }

    /// Waits until what it has heard, in a call that has ended, has this tone.
    pub(crate) fn has_heard(&self, hz: f64) {
        let until = Instant::now() + LIMIT;
        loop {
            if self
                .recordings()
                .iter()
                .any(|samples| has_tone(samples, hz))
            {
                return;
            }
            assert!(Instant::now() < until, "no {hz} Hz:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A tone as baresip wants it for G.711.
fn narrow_voice(hz: f64) -> Vec<u8> {
    wav::to_bytes(&tone::sine(hz, -13.0, 8000 * 30), 1).unwrap()
}

/// A tone as baresip wants it for Opus: a file of 48 kHz and two channels.
fn opus_voice(hz: f64) -> Vec<u8> {
    // What takes a second at 8 kHz takes a sixth of one here.
    let voice = tone::sine(hz / 6.0, -13.0, 48_000 * 30);
    let len = u32::try_from(voice.len() * 4).unwrap();
    let mut file = Vec::with_capacity(voice.len() * 4 + 44);
    file.extend(b"RIFF");
    file.extend((len + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // PCM, two channels.
    file.extend([1, 0, 2, 0]);
    file.extend(48_000_u32.to_le_bytes());
    file.extend((48_000_u32 * 4).to_le_bytes());
    file.extend([4, 0, 16, 0]);
    file.extend(b"data");
    file.extend(len.to_le_bytes());
    for sample in voice {
        file.extend(sample.to_le_bytes());
        file.extend(sample.to_le_bytes());
    }
    file
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
