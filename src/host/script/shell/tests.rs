//! Tests of the reader of shell scripts.

use super::requests;

fn programs(text: &str) -> Vec<String> {
    requests(text).programs
}

#[test]
fn the_first_words_of_simple_commands_are_programs() {
    let text = "#!/bin/sh\n# comment ls\nset -e\nsed -n p <in >out 2>&1 | grep -q x && cut -f1\n\
        if test -f x; then mv a b; elif ! cmp a b; then rm a; else :; fi\n\
        while read -r line; do wc \\\n -l; done < file\nfor i in one two; do tr a b; done\n\
        A=1 B=$(date +%s) env -i C=2 sort\n{ head -1; } & (tail -1)\necho ls \"du\" 'df'\n";
    let expected = [
        "sed", "grep", "cut", "mv", "cmp", "rm", "wc", "tr", "date", "env", "sort", "head", "tail",
    ];
    assert_eq!(programs(text), expected);
}

#[test]
fn programs_in_brackets_and_quotes_are_found_and_words_in_texts_are_not() {
    assert_eq!(
        programs("x=`basename $0`; echo \"$(stat -c %s \"$(ls)\")\""),
        ["basename", "ls", "stat"]
    );
    assert_eq!(programs("cat <<EOF\nrm x\nEOF\nmkdir y"), ["cat", "mkdir"]);
    assert_eq!(
        programs("cat <<-'END' | sort\n\trm $(x)\n\tEND\nmkdir y"),
        ["cat", "sort", "mkdir"]
    );
    assert_eq!(programs("usage='Usage:\n  rm x\n'; echo $((3 * (4))) ; uname"), ["uname"]);
    assert_eq!(
        programs("[[ $x =~ ^(a|b)$ && -f y ]] || xz -d\nlist=(rm -f); diff <(sort a) b"),
        ["xz", "sort", "diff"]
    );
    assert_eq!(programs("echo \"${x:-$(id -u)}\" ${y%%'}'} ; nproc"), ["id", "nproc"]);
}

#[test]
fn patterns_functions_and_commands_of_the_shell_are_no_programs() {
    let text = "case $1 in\n -x|--xx) cp a b ;;\n (rm) ln a b;; *) exit 1\nesac\nsync";
    assert_eq!(programs(text), ["cp", "ln", "sync"]);
    let text =
        "use() { helper; }\nhelper() (\n touch x\n)\nfunction third { use; chmod 1 x; }\nthird";
    assert_eq!(programs(text), ["touch", "chmod"]);
    assert_eq!(programs("cd x; export A=b; [ -x y ] && printf z"), [""; 0]);
    assert_eq!(
        programs("case x in a) case y in b) od;; esac;; c) tac;; esac; nl"),
        ["od", "tac", "nl"]
    );
}

#[test]
fn variables_that_the_script_sets_are_followed() {
    assert_eq!(
        programs("more=less; test x && more=more\nbzip2 -d | eval $more"),
        ["more", "bzip2", "less"]
    );
    assert_eq!(
        programs("xz='xz --format=auto'; LESSOPEN=\"|$xz -c\"; exec less \"$@\""),
        ["xz", "less"]
    );
    assert_eq!(
        programs("${GREP-grep} x; ${PAGER:=more}; ${x##*/} y; $0; \"$1\" z"),
        ["grep", "more"]
    );
    let text = "grep='${GREP-'\\''grep'\\''}'; args=$(id); eval \"$grep$args\"";
    assert_eq!(programs(text), ["id", "grep"]);
    assert_eq!(programs("lib=/usr/lib/tool\n$lib/helper -x"), ["/usr/lib/tool/helper"]);
    assert_eq!(
        programs("trap 'rm -f x' EXIT; sh -c 'id; who'; nice -n 5 timeout 3 gzip"),
        ["rm", "sh", "id", "who", "nice", "timeout", "gzip"]
    );
}

#[test]
fn programs_that_a_script_looks_for_count() {
    let text = "java=$(\\command -v java) || exit; type cc >&2; which -a awk; $java -x";
    assert_eq!(programs(text), ["java", "cc", "awk"]);
    let text = "run() { \"$@\"; }\nrun ${PAGER:-pager} x || run more\nsay() { echo; }; nl cat";
    assert_eq!(programs(text), ["nl", "pager", "more"]);
    assert_eq!(programs("say() { echo \"$@\"; }\nsay more"), [""; 0]);
}

#[test]
fn files_that_are_read_and_programs_beside_the_script_are_found() {
    let found = requests(
        "dir=/usr/share/tool\n. $dir/functions\nsource \"$(dirname \"$0\")/more.sh\"\n\
         exec \"`dirname \"$0\"`/tool\" \"$@\"\n\"$x/../no\"\n",
    );
    assert_eq!(found.files, ["/usr/share/tool/functions"]);
    assert_eq!(found.beside, ["more.sh", "tool"]);
    assert_eq!(found.programs, ["dirname"]);
    assert_eq!(requests("exec $0.bin \"$@\"; \"$0\" x").ends, [".bin"]);
}

#[test]
fn any_text_ends() {
    for text in [
        "(",
        "$(",
        "${",
        "`",
        "'",
        "\"",
        "$((",
        "case",
        "case x in",
        "f()",
        "<<",
        "a <<",
        ")",
        ");;",
        "{",
        "\\",
        "$",
        "for",
        "function",
        "[[",
        "\"$(\"",
        "${x",
        "a=(",
        "}}",
        ";;",
        "&>",
        "\\\n",
        "((",
        "case x in a",
    ] {
        let _ = requests(text);
    }
    let _ = requests(&"$(".repeat(10_000));
    let _ = requests(&"${x:-".repeat(10_000));
    let _ = requests(&"`".repeat(10_001));
    let _ = requests(&"eval '".repeat(1_000));
}
