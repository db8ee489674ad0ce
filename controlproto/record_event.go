package controlproto

import (
	"encoding/json"
	"time"
)

// Event is something that happened: pushed to sessions that may know of it, and kept in the log. What else an event carries
// depends on Action and is in Extra until [Event.Detail] decodes it. (meshuser.js, HandleEvent; db.js, StoreEvent)
//
//	{"etype":"node","userid":"user//admin","username":"admin","nodeid":"node//...","action":"changenode","msgid":88,
//	 "msgArgs":["pc1"],"msg":"Changed device pc1 from group lab","domain":"","time":"2026-11-23T02:00:00.000Z"}
type Event struct {
	Type     string                     `json:"etype"` // "user", "mesh", "node", "ugrp", "relay", "server"
	Action   string                     `json:"action"`
	UserID   ID                         `json:"userid"` // who caused it, or whom it is about
	Username string                     `json:"username"`
	DeviceID ID                         `json:"nodeid"`
	GroupID  ID                         `json:"meshid"`
	Msg      string                     `json:"msg"`
	MsgID    int                        `json:"msgid"`
	MsgArgs  []json.RawMessage          `json:"msgArgs"`
	Domain   string                     `json:"domain,keep"`
	Time     time.Time                  `json:"time,iso"` // zero for those that are not kept
	NoLog    int                        `json:"nolog"`    // 1: not kept
	NoAct    int                        `json:"noact"`    // 1: told again by another event, nothing to apply
	NoPeers  int                        `json:"nopeers"`
	Extra    map[string]json.RawMessage `json:"-"`
}
