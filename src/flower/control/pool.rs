//! One client per endpoint for the life of the process, so that all resources of a SuperLink share
//! its connections, its replies, and the record of which run belongs to which submission.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::client::ControlClient;
use super::endpoint::ControlEndpoint;
use super::shared::SharedReads;

/// All clients of the process.
#[derive(Debug, Default)]
pub struct ControlPool {
    clients: Mutex<HashMap<ControlEndpoint, Arc<SharedReads>>>,
}

impl ControlPool {
    /// The client of this endpoint, created by the first request.
    pub fn get_or_connect(
        &self,
        endpoint: &ControlEndpoint,
        connect: impl FnOnce() -> ControlClient,
    ) -> Arc<SharedReads> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = clients
            .entry(endpoint.clone())
            .or_insert_with(|| Arc::new(SharedReads::new(connect())));
        Arc::clone(shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_endpoint_has_one_client() {
        let pool = ControlPool::default();
        let get = |url| {
            let endpoint = ControlEndpoint::parse(url, None).unwrap();
            pool.get_or_connect(&endpoint, || ControlClient::connect(&endpoint))
        };
        let first = get("http://127.0.0.1:8000");
        assert!(Arc::ptr_eq(&first, &get("http://127.0.0.1:8000/")));
        assert!(!Arc::ptr_eq(&first, &get("http://127.0.0.1:8001")));
    }
}
