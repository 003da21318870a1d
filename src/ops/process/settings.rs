//! Settings of a program: streams, file mode creation mask, personality, working directory.

use crate::diag::{closest, quoted};
use crate::ops::lowering::c;
use crate::ops::words::{host, place};
use crate::ops::{AsIs, Changes, Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::{GuestPath, Namespaces, Redirected, Sink, Streams, ValueError, shell_word};
use crate::sys::Call;

/// Connects the standard streams.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect(pub Streams);

/// Sets the file mode creation mask.
#[derive(Clone, Debug, PartialEq)]
pub struct Umask(pub u32);

/// Sets the execution domain: personality(2).
#[derive(Clone, Debug, PartialEq)]
pub struct Personality {
    names: Vec<&'static str>,
}

/// The domains and flags that a sandbox can have. Flags that weaken programs, such as
/// `READ_IMPLIES_EXEC` and `MMAP_PAGE_ZERO`, are not among them.
const PERSONALITIES: [(&str, u32); 3] =
    [("LINUX32", 0x8), ("ADDR_NO_RANDOMIZE", 0x4_0000), ("ADDR_COMPAT_LAYOUT", 0x20_0000)];

impl Personality {
    /// A personality by the names of personality(2), with or without `PER_`. No name is that of
    /// ordinary programs.
    ///
    /// # Errors
    /// A name is unknown.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, ValueError> {
        let find = |name: &str| {
            let plain = name.strip_prefix("PER_").unwrap_or(name);
            let known = PERSONALITIES.map(|(known, _)| known);
            known.into_iter().find(|known| *known == plain).ok_or_else(|| {
                let error = ValueError::new(format!("unknown personality {}", quoted(name)));
                let same = known.into_iter().find(|known| known.eq_ignore_ascii_case(plain));
                match same.or_else(|| closest(plain, known)) {
                    Some(near) => error.hint(format!("did you mean {}?", quoted(near))),
                    None => error.hint(format!("a sandbox can have {}", known.join(", "))),
                }
            })
        };
        let names = names.into_iter().map(|name| find(name.as_ref()));
        let mut names = names.collect::<Result<Vec<_>, _>>()?;
        names.sort_unstable();
        names.dedup();
        Ok(Self { names })
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    fn bits(&self) -> u32 {
        let own = PERSONALITIES.iter().filter(|(name, _)| self.names.contains(name));
        own.fold(0, |bits, (_, bit)| bits | bit)
    }

    fn shell(&self) -> String {
        let (domains, flags): (Vec<_>, Vec<_>) =
            self.names.iter().partition(|name| **name == "LINUX32");
        let domain = if domains.is_empty() { "linux64" } else { "linux32" };
        // The options of setarch(8) are the names of the flags.
        let option = |flag: &&str| format!(" --{}", flag.to_lowercase().replace('_', "-"));
        format!("setarch {domain}{}", flags.iter().map(option).collect::<String>())
    }

    /// The names as personality(2) has them.
    fn shown(&self) -> String {
        if self.names.is_empty() { "LINUX".into() } else { self.names.join("|") }
    }
}

/// Enters the working directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Workdir(pub GuestPath);

impl Operation for Connect {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "session",
            turn: Turn::Streams,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let sentence = match &self.0 {
            Streams::Inherited => "use the standard streams of nsscript".into(),
            Streams::Terminal => "use its own terminal, relayed to that of nsscript".into(),
            Streams::Captured => "write output and errors to pipes".into(),
            Streams::Piped => PIPES.into(),
            Streams::Redirected(streams) => redirected(streams),
        };
        Told { sentence, source: None, target: None, shell: None }
    }
}

const PIPES: &str = "read input from a pipe and write output to one";

/// The sentence of streams of which some go elsewhere.
fn redirected(streams: &Redirected) -> String {
    let Redirected { piped, output, errors } = streams;
    let rest = match (piped, output, errors) {
        (true, _, _) => PIPES,
        (false, Sink::Inherited, _) => "use the input and output of nsscript",
        (false, _, Sink::Inherited) => "use the input and errors of nsscript",
        (false, _, _) => "use the input of nsscript",
    };
    let mut sentence = rest.to_owned();
    for (what, sink) in [("output", output), ("errors", errors)] {
        match sink {
            Sink::Inherited => {}
            Sink::Discarded => sentence += &format!(" and discard the {what}"),
            Sink::File(file) => {
                sentence += &format!(" and write the {what} to {}", host(&file.path));
            }
        }
    }
    sentence
}

impl Lower for Connect {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(to.prepared.streams.clone());
    }
}

impl Operation for Umask {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "umask",
            turn: Turn::Umask,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("set the umask to {:03o}", self.0),
            source: None,
            target: None,
            shell: Some(format!("umask {:03o}", self.0)),
        }
    }
}

impl Lower for Umask {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::Umask(self.0));
    }
}

impl Operation for Personality {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "personality",
            turn: Turn::Personality,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("set the personality {}", self.shown()),
            source: None,
            target: None,
            shell: Some(self.shell()),
        }
    }
}

impl Lower for Personality {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::Personality(self.bits()));
    }
}

impl Operation for Workdir {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "workdir",
            turn: Turn::Workdir,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("enter the working directory {}", place(&self.0)),
            source: None,
            target: Some(self.0.to_string()),
            shell: Some(format!("cd {}", shell_word(self.0.as_str()))),
        }
    }
}

impl Lower for Workdir {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::Workdir(c(self.0.as_str())));
    }
}

impl AsIs for Umask {
    fn say(&self) -> String {
        format!("umask {:03o}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("umask")
    }
}

impl AsIs for Personality {
    fn say(&self) -> String {
        format!("personality {}", self.shown())
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("personality")
    }
}

impl AsIs for Workdir {
    fn say(&self) -> String {
        format!("working directory {}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("workdir")
    }
}
