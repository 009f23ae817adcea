//! nginx with the settings that the manual names.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Time for which nginx leaves a server out that refused a connection.
pub(super) const LEFT_OUT: Duration = Duration::from_secs(1);

pub(super) struct Nginx {
    pub(super) address: SocketAddr,
    child: Child,
}

impl Nginx {
    pub(super) async fn start(folder: &Path, servers: &[SocketAddr]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let servers: String = servers
            .iter()
            .map(|server| format!("server {server} max_fails=1 fail_timeout={}s;\n", LEFT_OUT.as_secs()))
            .collect();
        let root = folder.display();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {root}/nginx.pid;\nerror_log {root}/nginx.log;\nevents {{}}\nhttp {{\n\
             access_log off;\nclient_body_temp_path {root}/body;\nproxy_temp_path {root}/proxy;\n\
             fastcgi_temp_path {root}/fastcgi;\nuwsgi_temp_path {root}/uwsgi;\nscgi_temp_path {root}/scgi;\n\
             upstream buildpass {{\n{servers}keepalive 32;\n}}\n\
             server {{\nlisten {address};\nkeepalive_timeout 75s;\nlocation / {{\nproxy_pass http://buildpass;\n\
             proxy_http_version 1.1;\nproxy_set_header Connection \"\";\nproxy_set_header Host $host;\n\
             proxy_set_header X-Forwarded-For $remote_addr;\n}}\n}}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let child = Command::new("nginx").arg("-c").arg(&file).arg("-p").arg(folder).stderr(Stdio::null()).spawn();
        let nginx = Self { address, child: child.expect("nginx, as `apt-get install nginx` brings it") };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return nginx;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nginx: {}", std::fs::read_to_string(folder.join("nginx.log")).unwrap_or_default());
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
