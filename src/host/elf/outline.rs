//! The needs of a program as a tree of text.

use std::fmt;

use super::error::Escaped;
use super::needs::{Kind, Needs, Role};

/// Prints [`Needs`] as a tree: every object below the first that requests it, with its path and the
/// rule by which it was found; if it is requested again, only its name.
#[derive(Debug, Clone, Copy)]
pub struct Outline<'n>(pub(super) &'n Needs);

impl fmt::Display for Outline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_needs(f, self.0, 0)
    }
}

fn write_needs(f: &mut fmt::Formatter<'_>, needs: &Needs, indent: usize) -> fmt::Result {
    write!(f, "{:indent$}{}", "", Escaped(needs.program.as_os_str()))?;
    if needs.resolved != needs.program {
        write!(f, " => {}", Escaped(needs.resolved.as_os_str()))?;
    }
    match &needs.kind {
        Kind::Dynamic | Kind::Library => writeln!(f)?,
        Kind::Static => writeln!(f, " (static)")?,
        Kind::Script(shebang) => {
            write!(f, " (#!{}", Escaped(shebang.interpreter.as_os_str()))?;
            if let Some(argument) = &shebang.argument {
                write!(f, " {}", Escaped(argument))?;
            }
            writeln!(f, ")")?;
        }
    }
    write_requests(f, needs, indent)?;
    for missing in needs.missing.iter().filter(|missing| missing.role == Role::Program) {
        writeln!(f, "{:1$}{2} is missing", "", indent + 2, Escaped(&missing.name))?;
    }
    needs.interpreters.iter().try_for_each(|interpreter| write_needs(f, interpreter, indent + 2))
}

fn write_requests(f: &mut fmt::Formatter<'_>, needs: &Needs, indent: usize) -> fmt::Result {
    let mut of: Vec<Vec<usize>> = vec![Vec::new(); needs.libraries.len() + 1];
    for (index, request) in needs.requests.iter().enumerate().rev() {
        of[request.by].push(index);
    }
    let mut shown = vec![false; of.len()];
    // Depth first with the next request last; not by recursion, which a long chain of libraries
    // would drive through the end of the stack.
    let mut ahead: Vec<(usize, usize)> = of[0].iter().map(|request| (*request, 1)).collect();
    while let Some((index, depth)) = ahead.pop() {
        let request = &needs.requests[index];
        write!(f, "{:1$}{2}", "", indent + 2 * depth, Escaped(&request.name))?;
        match request.gets {
            None => writeln!(f, " is missing")?,
            Some(object) if object == 0 || std::mem::replace(&mut shown[object], true) => {
                writeln!(f)?;
            }
            Some(object) => {
                let library = &needs.libraries[object - 1];
                if library.path.as_os_str() != request.name {
                    write!(f, " => {}", Escaped(library.path.as_os_str()))?;
                }
                writeln!(f, " ({})", library.rule)?;
                ahead.extend(of[object].iter().map(|request| (*request, depth + 1)));
            }
        }
    }
    Ok(())
}
