package controlproto

import (
	"context"
	"errors"
)

type ServerInfo struct{}
type PreConfiguredScript struct{}
type ServerInfoMessage struct{ ServerInfo *ServerInfo }

func (*ServerInfoMessage) Action() string { return "serverinfo" }

type UserInfoMessage struct{ UserInfo *User }

func (*UserInfoMessage) Action() string { return "userinfo" }

type Session struct{}

func (*Session) ID() string                          { return "" }
func (*Session) Domain() string                      { return "" }
func (*Session) UserID() ID                          { return "" }
func (*Session) User() *User                         { return nil }
func (*Session) SetUser(*User)                       {}
func (*Session) Send(context.Context, Message) error { return nil }
func (*Session) Push([]byte) bool                    { return true }
func (*Session) Close(a, b string)                   {}

var ErrNoUser = errors.New("x")

type EventMessage struct{ Event *Event }

func (*EventMessage) Action() string { return "event" }
