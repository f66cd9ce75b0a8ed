//! Listening addresses of objects: ports of the loopback, each assigned to one object permanently.

use async_trait::async_trait;

use super::super::{Layout, LayoutRequest, Network, RuntimeError};
use super::{LocalRuntime, ports};

#[async_trait]
impl Network for LocalRuntime {
    async fn layout(&self, request: LayoutRequest<'_>) -> Result<Layout, RuntimeError> {
        let LayoutRequest {
            object,
            ports: wanted,
            fixed,
            ..
        } = request;
        let object = object.object();
        let _lock = self.lock()?;
        let mut record = self.record(object)?;
        let mut taken = self.ports_in_use();
        for port in wanted {
            let has = record.ports.get(port).copied();
            let number = match fixed {
                Some((which, number)) if which == *port && has != Some(number) => {
                    if taken.contains(&number) || !ports::is_free(number) {
                        return Err(RuntimeError::PortTaken {
                            port: number,
                            purpose: *port,
                        });
                    }
                    number
                }
                _ => match has {
                    Some(number) => number,
                    None => ports::choose(&taken)?,
                },
            };
            taken.insert(number);
            record.ports.insert(*port, number);
        }
        record.changing = record.owner.is_none();
        self.save(object, &record)?;
        let mut layout = self.layout_of(object, &record);
        // An earlier release may have used more ports. They stay assigned in case it is used again.
        layout.ports.retain(|port, _| wanted.contains(port));
        Ok(layout)
    }
}
