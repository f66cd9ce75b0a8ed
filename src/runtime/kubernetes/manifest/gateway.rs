//! The gateway in front of a SuperLink. From Flower 1.40 on, the Fleet API shares a port with the
//! Control API, and every client of that port can start runs and register nodes. So the SuperLink
//! listens on its pod's loopback, and the gateway forwards only the requests of SuperNodes.

use super::super::ports::{FLEET_PORT, port_number};
use super::super::{FILES, LOOPBACK};
use crate::runtime::Port;

/// The name of the gateway's file among the files of the pod.
pub(in super::super) const CONFIG: &str = "nginx.conf";

/// The command of the gateway.
pub(super) fn command() -> [String; 7] {
    [
        "nginx",
        "-e",
        "stderr",
        "-c",
        &format!("{FILES}/{CONFIG}"),
        "-g",
        "daemon off;",
    ]
    .map(str::to_owned)
}

/// The configuration, with or without TLS on both sides.
pub(super) fn config(tls: bool) -> String {
    let upstream = port_number(Port::Api);
    let scheme = if tls { "https" } else { "http" };
    let (listen, verify) = if tls {
        (
            format!(
                "listen {FLEET_PORT} ssl;
        ssl_certificate {FILES}/server.crt;
        ssl_certificate_key {FILES}/server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets off;"
            ),
            format!(
                "
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {FILES}/ca.crt;
            proxy_ssl_name localhost;
            proxy_ssl_server_name on;
            proxy_ssl_session_reuse on;"
            ),
        )
    } else {
        (format!("listen {FLEET_PORT};"), String::new())
    };
    // Models are large and rounds are long: bodies have no limit, but headers and idle time have
    // one.
    format!(
        r#"worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    server_tokens off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    client_header_timeout 15s;
    client_body_timeout 120s;
    send_timeout 120s;
    keepalive_timeout 75s;
    large_client_header_buffers 4 8k;
    client_max_body_size 0;
    server {{
        {listen}
        # A path that leads elsewhere in any spelling is none of ours.
        if ($request_uri ~* "(\.\.|%2e|%2f|%5c|%25|//)") {{
            return 404;
        }}
        location /v1/fleet/ {{
            proxy_pass {scheme}://{LOOPBACK}:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Host localhost;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_connect_timeout 5s;
            proxy_send_timeout 300s;
            proxy_read_timeout 3600s;{verify}
        }}
        location / {{
            return 404;
        }}
    }}
}}
"#
    )
}
