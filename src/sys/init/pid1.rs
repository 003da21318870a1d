//! The first process of a sandbox: it passes signals on to the program and reaps what is orphaned.
//!
//! A program of its own, without any library, that nsscript carries and executes from memory: it
//! starts in a few microseconds and keeps nothing of the memory of its parent. The program it
//! serves runs already, as process 2. All signals are blocked when it starts.
//!
//! Descriptor 3 is an eventfd(2). Before it ends it writes the wait status of the program, plus
//! one, into it; it ends with the exit status a shell would show.
//!
//! Where it is not process 1 it only waits to be killed: it holds a namespace open.

#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[cfg(target_arch = "x86_64")]
mod number {
    pub const WRITE: usize = 1;
    pub const GETPID: usize = 39;
    pub const WAIT4: usize = 61;
    pub const KILL: usize = 62;
    pub const RT_SIGTIMEDWAIT: usize = 128;
    pub const PRCTL: usize = 157;
    pub const EXIT_GROUP: usize = 231;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const WRITE: usize = 64;
    pub const EXIT_GROUP: usize = 94;
    pub const KILL: usize = 129;
    pub const RT_SIGTIMEDWAIT: usize = 137;
    pub const PRCTL: usize = 167;
    pub const GETPID: usize = 172;
    pub const WAIT4: usize = 260;
}

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {}", "ud2", sym init);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x30, xzr", "bl {}", "brk 1", sym init);

/// One system call.
unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize) -> isize {
    let returned: isize;
    // SAFETY: the caller passes what the call of this number takes.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", inlateout("rax") number => returned, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") 0, lateout("rcx") _, lateout("r11") _);
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => returned, in("x1") b, in("x2") c,
            in("x3") d, in("x4") 0);
    }
    returned
}

/// The program: the first process that this one has made, in a new PID namespace.
const PROGRAM: isize = 2;
const STATUS: usize = 3;
const SIGCHLD: isize = 17;
const WNOHANG: usize = 1;
const PR_SET_NAME: usize = 15;
const EINTR: isize = -4;

extern "C" fn init() -> ! {
    // SAFETY: every pointer below is of a local that lives as long as its call.
    unsafe {
        call(number::PRCTL, PR_SET_NAME, c"init".as_ptr() as usize, 0, 0);
        let every = u64::MAX;
        // Held outside of a PID namespace, it has no program, and process 2 is somebody else.
        let serves = call(number::GETPID, 0, 0, 0, 0) == 1;
        loop {
            reap();
            let signal = call(number::RT_SIGTIMEDWAIT, &raw const every as usize, 0, 0, 8);
            if signal > 0 && signal != SIGCHLD && serves {
                call(number::KILL, PROGRAM as usize, signal as usize, 0, 0);
            }
        }
    }
}

/// Takes the status of every process that has ended; ends with the program.
unsafe fn reap() {
    loop {
        let mut status = 0_i32;
        let any = -1_isize as usize;
        // SAFETY: `status` is a local.
        let pid = unsafe { call(number::WAIT4, any, &raw mut status as usize, WNOHANG, 0) };
        match pid {
            PROGRAM => end(status),
            1.. | EINTR => {}
            _ => return,
        }
    }
}

fn end(status: i32) -> ! {
    let told = status as u32 as u64 + 1;
    let signal = status & 0x7f;
    let code = if signal == 0 { status >> 8 & 0xff } else { 128 + signal };
    // SAFETY: `told` is a local of the eight bytes that an eventfd takes.
    unsafe { call(number::WRITE, STATUS, &raw const told as usize, 8, 0) };
    loop {
        // SAFETY: exit_group takes a number.
        unsafe { call(number::EXIT_GROUP, code as usize, 0, 0, 0) };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    end(0x7f00)
}
