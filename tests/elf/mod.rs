//! What we say a program needs, against what the loader of this machine says.

mod against_loader;
mod rules_against_loader;
