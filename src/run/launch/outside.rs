//! Networks that reach the outside through the host's sockets, without privileges: pasta(1).

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::launcher::Launcher;
use crate::diag::{Origin, Report, escape, quoted};
use crate::host::Host;
use crate::ops::network::MakeNetwork;
use crate::ops::raw::InNetwork;
use crate::ops::{Around, Before, command as told};
use crate::plan::{FORWARDED, Plan, Planned, RawAction, Request, Side};
use crate::run::base::error::{Interrupted, RunError};
use crate::run::launch::connect_streams;
use crate::run::launch::piped::MOST_KEPT;
use crate::run::launch::process::Process;
use crate::run::launch::stream::Input;
use crate::run::launch::stream::converse;
use crate::run::network::{Link, Network};
use crate::run::raw;
use crate::run::remedy;
use crate::spec::{Command, Kind, MountFlags, Namespaces, Outbound, Streams};
use crate::sys::{self, Call, Passed, Program, Raw, flags};

/// A network, and the process that connects it to the outside while this lives.
#[derive(Debug)]
pub(in crate::run) struct Outside {
    pub network: Rc<Network>,
    _process: Process,
}

/// The path of pasta(1).
pub(in crate::run) fn pasta(host: &Host) -> Option<PathBuf> {
    host.tree.which("pasta", None)
}

/// The time limit for pasta to be ready.
const PATIENCE: Duration = Duration::from_secs(10);

impl Launcher {
    /// Creates a network that is connected to the outside.
    ///
    /// # Errors
    /// pasta is missing or fails.
    pub(in crate::run) fn connect_outside(
        &self,
        outbound: &Outbound,
        origin: Option<&Origin>,
    ) -> Result<Outside, RunError> {
        let Some(pasta) = pasta(self.host()) else {
            let report = Report::error(
                "cannot connect the sandbox to the outside: no working `pasta` \
                               found on this host",
            );
            return Err(remedy::no_pasta().advise_cure(report.at(origin.cloned())).into());
        };
        let network = self.network(None, origin)?;
        let place = self.pinned(&network, origin)?;
        let process = self.start_pasta(&pasta, outbound, &place, origin);
        let ready = process.and_then(|process| self.wait_for_pasta(process, &network, origin));
        let removed = raw::done(&Raw::Umount(raw::c(&place), true));
        let _ = std::fs::remove_file(&place);
        let outside = Outside { network, _process: ready? };
        removed.map_err(|error| {
            let shown = quoted(place.to_string_lossy());
            let message = format!("cannot remove {shown}: {}", error.errno);
            Report::error(message).at(origin.cloned())
        })?;
        Ok(outside)
    }

    /// Pins the network to a file: one in /proc could be opened only by processes that may trace
    /// this one.
    fn pinned(&self, network: &Network, origin: Option<&Origin>) -> Result<PathBuf, RunError> {
        use std::os::fd::AsRawFd;
        let place = self.scratch(origin)?.join(format!(".{}", network.label));
        let fails = |errno: sys::Errno| {
            let shown = quoted(place.to_string_lossy());
            Report::error(format!("cannot create {shown}: {errno}")).at(origin.cloned())
        };
        std::fs::File::create_new(&place).map_err(|error| fails((&error).into()))?;
        let source = format!("/proc/self/fd/{}", network.namespace().descriptor().as_raw_fd());
        let mounted = raw::done(&Raw::Mount {
            source: Some(raw::text(source.as_bytes())),
            target: raw::c(&place),
            kind: None,
            flags: MountFlags::BIND.0,
            data: None,
        });
        mounted.map_err(|error| fails(error.errno))?;
        Ok(place)
    }

    /// Starts pasta in its own PID namespace, so that it ends with nsscript, however that ends.
    fn start_pasta(
        &self,
        pasta: &Path,
        outbound: &Outbound,
        network: &Path,
        origin: Option<&Origin>,
    ) -> Result<Process, RunError> {
        let mut words = vec![pasta.to_string_lossy().into_owned()];
        words.extend(outbound.options());
        words.extend(["--dns-forward".to_owned(), FORWARDED.to_owned()]);
        // pasta would become another user, who may not enter the network.
        if self.host().is_root() {
            words.extend(["--runas", "0:0"].map(str::to_owned));
        }
        words.extend(["--netns".to_owned(), network.to_string_lossy().into_owned()]);
        let command =
            Command::new(words).map_err(|invalid| Report::from(&invalid).at(origin.cloned()))?;
        let request = Request {
            command: command.clone(),
            streams: Streams::Captured,
            origin: origin.cloned(),
        };
        let connected = connect_streams(self, &request, &Input::Nothing, None)?;
        let told = told(command.words(), &[], &[], Around::default(), Before::default());
        let calls = vec![
            Call::DieWithParent,
            connected.given.call(),
            Call::Execute { as_init: true, told, passed: Passed::default() },
        ];
        let program = Program { namespaces: flags::PID, calls, ..Program::default() };
        let made = Box::new(MakeNetwork(None).into());
        let action = InNetwork { network: "outside".into(), action: made };
        let action = RawAction::from(action);
        let planned =
            Planned { action: action.into(), side: Side::Parent, origin: origin.cloned() };
        let plan =
            Plan { namespaces: Namespaces::from(Kind::Pid), command, ..Plan::of_one(planned) };
        let started = Instant::now();
        let child = sys::spawn(&program).map_err(|failed| {
            let message =
                format!("cannot start {}: {}", quoted(pasta.to_string_lossy()), failed.error.errno);
            Report::error(message).at(origin.cloned())
        })?;
        self.count_process();
        let ends = connected.into_ends(&plan)?;
        let mut process = Process::new(child, ends, plan, (started, self.started()));
        process.confirm().map_err(|why| {
            let pasta = quoted(pasta.to_string_lossy());
            let message = format!("cannot execute {pasta}: {}", why.errno);
            Report::error(message).at(origin.cloned())
        })?;
        Ok(process)
    }

    /// Waits until pasta has created the interface of the network.
    fn wait_for_pasta(
        &self,
        mut process: Process,
        network: &Network,
        origin: Option<&Origin>,
    ) -> Result<Process, RunError> {
        let (end, mut is_late) = (Instant::now() + PATIENCE, false);
        while process.running() {
            let links = self.links(network, origin)?;
            let routes = self.routes(network, origin)?;
            let has_way = routes.iter().any(|route| route.network() == "default");
            let is_ready = |link: &Link| link.interface.name == "eth0" && link.interface.up;
            if has_way && links.iter().any(is_ready) {
                return Ok(process);
            }
            is_late = Instant::now() > end;
            if is_late || !sys::pause(Duration::from_millis(5)) {
                let _ = process.kill(9);
            }
        }
        if let Some(signal) = sys::interrupted() {
            return Err(Interrupted { signal }.into());
        }
        let (_, said) = converse(&mut process, &[], MOST_KEPT)?;
        let why = if is_late { "was not ready in time" } else { "exited" };
        let message = format!("cannot connect the sandbox to the outside: `pasta` {why}");
        let mut report = Report::error(message).at(origin.cloned());
        let said = String::from_utf8_lossy(&said).into_owned();
        let lines = said.lines().filter(|line| !line.is_empty() && !line.contains("syslog"));
        let lines: Vec<&str> = lines.collect();
        for line in &lines[lines.len().saturating_sub(5)..] {
            report = report.note(format!("`pasta` wrote: {}", escape(line)));
        }
        let has_tun = std::fs::File::options().read(true).write(true).open("/dev/net/tun");
        Err(match has_tun {
            Err(error) => remedy::no_tun(sys::Errno::from(&error)).advise(report),
            Ok(_) if said.contains("bind") => remedy::port_taken().advise(report),
            Ok(_) if said.contains("not usable") => report.advise(
                "no_way_out",
                "the host itself has no route to the outside: connect \
                                             it first",
            ),
            Ok(_) => report,
        }
        .into())
    }
}
