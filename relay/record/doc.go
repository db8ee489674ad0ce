// Package record reads and writes session recordings of MeshCentral: .mcrec files, which hold every message that went
// through a tunnel, and when.
//
// A file is a sequence of blocks ([Header]): one of metadata ([Metadata]), one for each message, and one that says that the
// recording is complete. An index ([Index]) takes the place of the last when the recording is one of a desktop: it says for
// every tenth second which messages make up the picture, so that a player can jump.
//
// [Writer] records: give it each message of a tunnel, or put [Tap] around a connection. [Reader] plays, in order, from any
// time, or at the speed at which it happened. [AddIndex] does to a finished file what MeshCentral's mcrec.js does.
//
// The layout was confirmed in meshrelay.js (recordingEntry), mcrec.js and public/scripts/agent-desktop-0.0.2.js.
package record
