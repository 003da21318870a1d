# Whether what a machine has said is what it should have: `not-run` first, then what it has said.
# Nothing counts as good that was not seen.

FNR == NR {
    sub(/#.*/, "")
    for (word = 2; word <= NF; word++) {
        expected[$1, $word] = 1
    }
    next
}

/^vm: rootfs [0-9]+ passed, 0 failed, 0 not run$/ { rootfs = $3 }
/^vm: user / { user = $3 }
/^vm: doctor / { doctor[user] = $3 }
/^ok +recipes\/busybox\.rhai / { works[user] = 1 }
/^vm: terminal / { terminal[user] = $3 }
/^vm: recipes [0-9]+ passed, [0-9]+ failed, [0-9]+ not run$/ {
    passed[user] = $3
    failed[user] = $5
    left[user] = $7
}
/^vm: not-run / && required == 1 && !((user, $3) in expected) {
    complain($3 " was not run, and is not named in tests/vm/not-run")
}

function complain(what) {
    print "vm: " user " on " kernel ": " what
    bad = 1
}

END {
    user = "process 1"
    if (root == "disk" && rootfs < 2) {
        complain("the recipes on rootfs failed")
    }
    number = split(users, all)
    for (at = 1; at <= number; at++) {
        user = all[at]
        if (doctor[user] != (works[user] ? "0" : "1")) {
            complain("the doctor does not say of recipes/busybox.rhai what comes of it")
        }
        if (terminal[user] != "0") {
            complain("the conversation at the terminal failed")
        }
        if (passed[user] + failed[user] + left[user] != recipes) {
            complain("not all of the " recipes " recipes were reached")
        }
        if (failed[user] != "0") {
            complain("recipes failed")
        }
        printf "%s on %s: %d passed, %d failed, %d not run\n", user, kernel, passed[user],
            failed[user], left[user]
    }
    exit bad
}
