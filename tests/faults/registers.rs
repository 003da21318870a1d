//! The system call that a stopped process is about to make or has just made.
//!
//! What differs between processors is only here.

use nix::Result;
use nix::libc::{c_long, user_regs_struct};
use nix::sys::ptrace;
use nix::unistd::Pid;

/// The registers of a process that is stopped at the entry to, or the exit from, a system call.
pub struct Stop {
    pid: Pid,
    registers: user_regs_struct,
}

impl Stop {
    pub fn of(pid: Pid) -> Result<Self> {
        Ok(Self { pid, registers: ptrace::getregs(pid)? })
    }
}

#[cfg(target_arch = "x86_64")]
impl Stop {
    /// The number of the call.
    pub fn number(&self) -> c_long {
        self.registers.orig_rax.cast_signed()
    }

    /// Its arguments.
    pub fn arguments(&self) -> [u64; 6] {
        let it = &self.registers;
        [it.rdi, it.rsi, it.rdx, it.r10, it.r8, it.r9]
    }

    /// Keeps the kernel from making the call, at its entry.
    pub fn skip(mut self) -> Result<()> {
        self.registers.orig_rax = u64::MAX;
        ptrace::setregs(self.pid, self.registers)
    }

    /// Changes the first argument of the call.
    pub fn with_first_argument(mut self, value: u64) -> Result<()> {
        self.registers.rdi = value;
        ptrace::setregs(self.pid, self.registers)
    }

    /// Changes what the call returns, at its exit.
    pub fn answer(mut self, value: c_long) -> Result<()> {
        self.registers.rax = value.cast_unsigned();
        ptrace::setregs(self.pid, self.registers)
    }
}

#[cfg(target_arch = "aarch64")]
impl Stop {
    /// The number of the call.
    pub fn number(&self) -> c_long {
        self.registers.regs[8].cast_signed()
    }

    /// Its arguments.
    pub fn arguments(&self) -> [u64; 6] {
        std::array::from_fn(|index| self.registers.regs[index])
    }

    /// Keeps the kernel from making the call, at its entry.
    #[allow(unsafe_code, reason = "no crate has this register set")]
    pub fn skip(self) -> Result<()> {
        use nix::libc;
        /// `NT_ARM_SYSTEM_CALL` of linux/elf.h: a write to x8 comes too late to change the call.
        const SYSTEM_CALL: usize = 0x404;
        let mut none: libc::c_int = -1;
        let mut vector =
            libc::iovec { iov_base: (&raw mut none).cast(), iov_len: size_of_val(&none) };
        // SAFETY: the register set is one int, and the kernel reads as many bytes as the vector
        // says, which is a local.
        let done = unsafe {
            libc::ptrace(libc::PTRACE_SETREGSET, self.pid.as_raw(), SYSTEM_CALL, &raw mut vector)
        };
        nix::errno::Errno::result(done).map(drop)
    }

    /// Changes the first argument of the call, which has what it returns in its place.
    pub fn with_first_argument(mut self, value: u64) -> Result<()> {
        let is_return = ptrace::syscall_info(self.pid)?.op == nix::libc::PTRACE_SYSCALL_INFO_EXIT;
        if is_return {
            return Ok(());
        }
        self.registers.regs[0] = value;
        ptrace::setregs(self.pid, self.registers)
    }

    /// Changes what the call returns, at its exit.
    pub fn answer(mut self, value: c_long) -> Result<()> {
        self.registers.regs[0] = value.cast_unsigned();
        ptrace::setregs(self.pid, self.registers)
    }
}
