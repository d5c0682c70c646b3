// Handing a port that two processes share (SO_REUSEPORT) from one to the other without a reset. When a
// listening socket closes, the kernel resets what waits in its queue and what is shaking hands with it, even
// though others listen there too. So nothing new may come to the sockets that are going to be closed.
#pragma once

namespace perigee::replica {

// From here on the kernel gives new connections to the sockets that joined the port of the listening socket
// `fd` after the first `own` had, which are this process's. What already shakes hands with those goes on
// there. False when there are no others, or the kernel can't; then nothing has changed.
bool YieldNewConnections(int fd, int own);

// Once the sockets that yielded are closed: new connections are spread over all of the port's again.
void SpreadNewConnections(int fd);

}  // namespace perigee::replica
