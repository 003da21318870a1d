//! Programs that were started.

use std::cell::RefMut;
use std::rc::Rc;

use rhai::Dynamic;

use super::command::{checked, rehearsed, request};
use crate::diag::{Report, quoted};
use crate::run::{self, Exit, Input, Process};
use crate::script::argument::{Bytes, a_kind};
use crate::script::call::Call;
use crate::script::error::Failed;
use crate::script::options::options;
use crate::script::value::ProcessHandle;
use crate::script::verb::verbs;
use crate::spec::{Command, Streams};

options! {
    /// How another program is run.
    struct Another {
        /// what the program reads from its standard input
        stdin: Bytes = "",
        /// whether another status than 0 is an error
        check: bool = "true",
    }
}

/// The process itself; none in a rehearsal.
fn process(handle: &ProcessHandle) -> Option<RefMut<'_, Process>> {
    handle.process.as_ref().map(|process| process.borrow_mut())
}

/// A signal by its name, with or without `SIG`, or its number.
fn signal(value: &Dynamic, call: &Call<'_, '_>) -> Result<i32, Failed> {
    if let Ok(number) = value.as_int() {
        let number = i32::try_from(number).ok().filter(|number| (1..=64).contains(number));
        return number.ok_or_else(|| call.fail(Report::error("signals go from 1 to 64")));
    }
    if !value.is_string() {
        let given = a_kind(value);
        let message = format!("`kill` takes a name or a number as `signal`, not {given}");
        return Err(call.fail(Report::error(message)));
    }
    let name = value.to_string();
    if let Some(number) = run::signal_number(&name) {
        return Ok(number);
    }
    let report = Report::error(format!("no signal {}", quoted(&name)));
    let short = name.to_uppercase();
    let near = crate::diag::closest(short.trim_start_matches("SIG"), run::signal_names());
    Err(call.fail(match near {
        Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
        None => report.hint("a signal is a name like `\"TERM\"` or a number"),
    }))
}

fn no_pipes(call: &Call<'_, '_>) -> Failed {
    let report =
        Report::error(format!("`{}` needs a program that was started with pipes", call.name()));
    call.fail(report.hint("`start(command, #{ pipes: true })` connects its input and output"))
}

verbs! {
    /// The number of process 1 of the sandbox, as the host sees it.
    get pid(call, process: ProcessHandle) -> i64 {
        let _ = &call;
        Ok(self::process(&process).map_or(0, |process| i64::from(process.pid())))
    }

    /// Whether the program has not ended yet.
    get running(call, process: ProcessHandle) -> bool {
        let _ = &call;
        Ok(self::process(&process).is_some_and(|mut process| process.running()))
    }

    /// Waits until the program has ended. Its input, where it is a pipe, ends first.
    ///
    /// # Example
    /// ```rhai
    /// let sleeper = sandbox("/").read_only_root().start("sleep 0.1");
    /// print(sleeper.wait().code);
    /// ```
    fn wait(call, process: ProcessHandle) -> Exit {
        let _ = &call;
        match self::process(&process) {
            Some(mut process) => process.wait().map_err(|it| Failed::Interrupted(it.signal)),
            None => Ok(rehearsed()),
        }
    }

    /// Sends a signal to the program: a name such as `"TERM"`, or a number.
    ///
    /// # Example
    /// ```rhai
    /// let sleeper = sandbox("/").read_only_root().start("sleep 60");
    /// sleeper.kill("TERM");
    /// print(sleeper.wait().signal);
    /// ```
    /// # See
    /// signal(7)
    fn kill(call, process: ProcessHandle, signal: Dynamic) -> () {
        let number = self::signal(&signal, call)?;
        let Some(mut process) = self::process(&process) else { return Ok(()) };
        process.kill(number).map_err(|errno| {
            call.fail(Report::error(format!("cannot send the signal: {errno}")))
        })
    }

    /// Writes text or bytes to the input of a program that was started with pipes.
    ///
    /// # Errors
    /// The program has ended, or was started without pipes.
    ///
    /// # Example
    /// ```rhai
    /// let cat = sandbox("/").read_only_root().start("cat", #{ pipes: true });
    /// cat.write("hello\n");
    /// ```
    fn write(call, process: ProcessHandle, text: Bytes) -> () {
        let Some(mut process) = self::process(&process) else { return Ok(()) };
        match process.write(&text.0) {
            Some(Ok(())) => Ok(()),
            Some(Err(errno)) => {
                let report = Report::error(format!("cannot write to the program: {errno}"));
                Err(call.fail(report.hint("it has ended, or closed its input")))
            }
            None => Err(no_pipes(call)),
        }
    }

    /// Reads a line of the output of a program that was started with pipes; nothing at its end.
    ///
    /// # Errors
    /// The program was started without pipes.
    ///
    /// # Example
    /// ```rhai
    /// let clock = sandbox("/").read_only_root().start("date", #{ pipes: true });
    /// print(clock.read_line());
    /// ```
    fn read_line(call, process: ProcessHandle) -> Option<String> {
        let Some(mut process) = self::process(&process) else { return Ok(None) };
        match process.read_line() {
            Some(Ok(line)) => Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned())),
            Some(Err(interrupted)) => Err(Failed::Interrupted(interrupted.signal)),
            None => Err(no_pipes(call)),
        }
    }

    /// Runs another program in the same sandbox, to its end.
    ///
    /// It is in all namespaces of the sandbox, the same user, and has the same environment.
    ///
    /// # Errors
    /// The sandbox has ended; as for `run` of a sandbox.
    ///
    /// # Example
    /// ```rhai
    /// let sleeper = sandbox("/").read_only_root().proc("/proc").start("sleep 60");
    /// sleeper.run("ps ax");
    /// ```
    /// # See
    /// setns(2)
    fn run(call, process: ProcessHandle, command: Command, options: Another) -> Exit {
        let request = request(command, Streams::Inherited, call);
        if let Some(first) = &process.rehearsed {
            let joined = call.context.runner.plan_to_join(first, &request);
            call.context.plans.borrow_mut().push(Rc::new(joined));
        }
        let Some(mut process) = self::process(&process) else { return Ok(rehearsed()) };
        let input = options.stdin.map_or(Input::Inherited, |bytes| Input::Bytes(bytes.0));
        let exit = call.context.runner.join(&mut process, &request, &input)?;
        checked(exit, options.check, &request.command, None, None, call)
    }
}
