//! Asterisk with PJSIP, and no module more than such calls need.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::Forky;
use super::program::Program;
use crate::sidecar::called::Called;
use crate::sidecar::cores;
use crate::sidecar::process::free_udp;

/// What it does with calls.
#[derive(Clone, Copy)]
pub(in crate::sidecar) enum Does {
    /// Answers, and waits.
    Answer,
    /// Calls somebody else, as a B2BUA with the media between.
    Dial(SocketAddr),
}

/// A running Asterisk.
pub(in crate::sidecar) struct Asterisk<'a> {
    program: Program,
    address: SocketAddr,
    forky: &'a Forky,
    folder: tempfile::TempDir,
}

const ASTERISK_CONF: &str = "[directories]
astetcdir => RUN
astmoddir => /usr/lib/x86_64-linux-gnu/asterisk/modules
astvarlibdir => /var/lib/asterisk
astdbdir => RUN
astkeydir => RUN
astdatadir => /usr/share/asterisk
astagidir => RUN
astspooldir => RUN
astrundir => RUN
astlogdir => RUN
[options]
verbose = 0
nocolor = yes
";

const MODULES: &str = "res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjproject \
 res_pjsip res_pjsip_pubsub res_pjsip_session res_pjsip_sdp_rtp res_pjsip_endpoint_identifier_ip \
 res_pjsip_authenticator_digest res_pjsip_caller_id \
 res_pjsip_nat res_rtp_asterisk res_timing_timerfd chan_pjsip bridge_simple bridge_native_rtp \
 bridge_holding codec_ulaw codec_alaw pbx_config app_dial app_verbose app_stack func_callerid \
 func_channel func_strings func_logic func_global";

impl<'a> Asterisk<'a> {
    /// On the core on which servers are measured.
    pub(in crate::sidecar) fn start(forky: &'a Forky, does: Does) -> anyhow::Result<Self> {
        let address = free_udp()?;
        let folder = tempfile::tempdir_in(forky.folder())?;
        let run = forky.inside(folder.path()).display().to_string();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
        write("asterisk.conf", &ASTERISK_CONF.replace("RUN", &run))?;
        let modules: String = MODULES
            .split_whitespace()
            .map(|module| format!("load = {module}.so\n"))
            .collect();
        write(
            "modules.conf",
            &format!("[modules]\nautoload = no\n{modules}"),
        )?;
        write("logger.conf", "[general]\n[logfiles]\n")?;
        write("rtp.conf", "[general]\nrtpstart=6000\nrtpend=31999\n")?;
        let (plan, peer) = match does {
            Does::Answer => ("Answer()\nsame => n,Wait(60)".to_owned(), String::new()),
            Does::Dial(to) => (
                "Dial(PJSIP/uas)".to_owned(),
                format!(
                    "[uas]\ntype=endpoint\naors=uas\ndisallow=all\nallow=ulaw\ndirect_media=no\n[uas]\ntype=aor\ncontact=sip:{to}\n"
                ),
            ),
        };
        write(
            "extensions.conf",
            &format!("[general]\n[globals]\n[calls]\nexten => _[+0-9].,1,{plan}\n"),
        )?;
        write(
            "pjsip.conf",
            &format!(
                "[global]\ntype=global\n[udp]\ntype=transport\nprotocol=udp\nbind={address}\n\
                 [device]\ntype=endpoint\ncontext=calls\ndisallow=all\nallow=ulaw\ndirect_media=no\n\
                 [device]\ntype=identify\nendpoint=device\nmatch=127.0.0.1\n{peer}"
            ),
        )?;
        for empty in [
            "cdr.conf",
            "features.conf",
            "udptl.conf",
            "ccss.conf",
            "acl.conf",
            "stasis.conf",
            "pjproject.conf",
            "codecs.conf",
            "manager.conf",
            "http.conf",
            "dnsmgr.conf",
        ] {
            write(empty, "[general]\n")?;
        }
        let mut command = cores::on_the_sidecars("chroot");
        command
            .args(forky.arguments(Path::new("/"), "/usr/sbin/asterisk"))
            .args(["-f", "-C", &format!("{run}/asterisk.conf")]);
        let mut asterisk = Self {
            program: Program::start("Asterisk", command)?,
            address,
            forky,
            folder,
        };
        let (forky, folder) = (asterisk.forky, asterisk.folder.path().to_owned());
        asterisk
            .program
            .wait(|| console(forky, &folder, "core waitfullybooted").contains("fully booted"))?;
        Ok(asterisk)
    }
}

/// One command of its console, and what it printed.
fn console(forky: &Forky, folder: &Path, command: &str) -> String {
    let output = forky
        .command(folder, "/usr/sbin/asterisk")
        .arg("-C")
        .arg(forky.inside(&folder.join("asterisk.conf")))
        .args(["-rx", command])
        .output();
    output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

impl Called for Asterisk<'_> {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.program.pid()
    }
}

impl Drop for Asterisk<'_> {
    fn drop(&mut self) {
        console(self.forky, self.folder.path(), "core stop now");
        self.program.wait_for_end();
    }
}
