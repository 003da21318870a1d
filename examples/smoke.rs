use nsscript::sys::*; use std::ffi::CString;
fn c(s:&str)->CString{CString::new(s).unwrap()}
fn main(){
 let ids=ids();
 let opts=|s:&[(&str,&str)]| s.iter().map(|(k,v)|(c(k),Some(c(v)))).collect::<Vec<_>>();
 let all=flags::USER|flags::MOUNT|flags::PID|flags::NET|flags::UTS|flags::IPC|flags::CGROUP|flags::TIME;
 let calls=vec![
  Call::WriteProc{path:c("/proc/self/setgroups"),bytes:b"deny".to_vec()},
  Call::WriteProc{path:c("/proc/self/uid_map"),bytes:format!("0 {} 1\n",ids.uid).into_bytes()},
  Call::WriteProc{path:c("/proc/self/gid_map"),bytes:format!("0 {} 1\n",ids.gid).into_bytes()},
  Call::MakePrivate, Call::LoopbackUp,
  Call::OpenTree{tree:Tree::Host(c("/"),None),recursive:true,set:Attributes::READ_ONLY},
  Call::AttachRoot,
  Call::NewMount{kind:c("proc"),options:vec![],attributes:Attributes::NONE}, Call::Attach(Target{path:c("proc"),create:Create::Directory}),
  Call::NewMount{kind:c("tmpfs"),options:opts(&[("mode","1777")]),attributes:Attributes::NONE}, Call::Attach(Target{path:c("tmp"),create:Create::Directory}),
  Call::PivotRoot, Call::SetHostname(b"box".to_vec()), Call::DropCapabilities, Call::NoNewPrivileges, Call::DieWithParent, Call::Split, Call::NewSession,
  Call::Execute{candidates:vec![c("/bin/sh")],arguments:CStrings::new(["sh","-c",&std::env::args().nth(1).unwrap()]).unwrap(),environment:CStrings::new(Vec::<String>::new()).unwrap()},
 ];
 let p=Program{namespaces:all,enter:None,share_memory:true,calls};
 match spawn(&p){Ok(mut ch)=>println!("{:?}",ch.wait()),Err(f)=>println!("{:?} {}",f,f.errno)}
}
