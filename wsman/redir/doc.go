// Package redir speaks the redirection protocol of Intel AMT, both ends: serial over LAN (SOL), IDE redirection (IDE-R:
// the device boots from a floppy or an ISO image that the operator serves) and the hand-over to KVM, which is RFB from then
// on. It also has the interceptors that put the stored credentials of a device into an operator's stream, so that no operator
// needs to know them.
//
// One stream (TCP or TLS to port 16994 or 16995, or a channel of a CIRA connection to the same ports) is one session of one
// type:
//
//	operator                                device (AMT)
//	StartSession 10  ------------------->
//	                 <-------------------   StartReply 11
//	AuthRequest 13, query  ------------->
//	                 <-------------------   AuthReply 14, the types it has
//	AuthRequest 13, digest, blanks  ---->
//	                 <-------------------   AuthReply 14, failure with realm and nonce
//	AuthRequest 13, digest  ------------>
//	                 <-------------------   AuthReply 14, success
//	messages of SOL, of IDE-R, or of KVM's hand-over
//
// Three rings, as everywhere in this module. Codecs: a struct a message, with Append and Parse, and [Parser], which cuts a
// stream into messages. Machines without I/O: [ClientLogin] and [ServerLogin], [MediaServer] and [DiskHost] for both ends of
// IDE-R, [RedirInterceptor] and [HTTPInterceptor]. Drivers over a connection that the caller has made: [OpenSOL], [OpenIDER]
// and [OpenKVM] for the operator's end, [Device] for the device's, [Intercept] between both.
//
// All integers are little-endian, except those within SCSI commands and their answers. PROTOCOL.md beside this file has what is
// not in the doc comments.
package redir
