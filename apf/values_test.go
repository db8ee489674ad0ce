package apf

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUUID(t *testing.T) {
	require.Equal(t, "00112233-4455-6677-8899-aabbccddeeff", testUUID.String())
	u, err := ParseUUID("00112233-4455-6677-8899-AABBCCDDEEFF")
	require.NoError(t, err)
	require.Equal(t, testUUID, u)
	text, err := json.Marshal(testUUID)
	require.NoError(t, err)
	u = UUID{}
	require.NoError(t, json.Unmarshal(text, &u))
	require.Equal(t, testUUID, u)
	for _, wrong := range []string{"", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeefg",
		"0011223344556677-8899-aabbccddeeff----", "00112233x4455x6677x8899xaabbccddeeff"} {
		_, err := ParseUUID(wrong)
		require.Error(t, err, wrong)
	}
}

func TestNames(t *testing.T) {
	for v := range 256 {
		require.NotEmpty(t, Type(v).String())
	}
	require.Equal(t, "CHANNEL_DATA", TypeChannelData.String())
	require.Equal(t, "type 7", Type(7).String())
	require.Equal(t, "protocol error", DisconnectProtocolError.String())
	require.Equal(t, "reason 4294967295", DisconnectReason(0xFFFFFFFF).String())
	require.Equal(t, "resource shortage", OpenResourceShortage.String())
	require.Equal(t, "periodic", TriggerPeriodic.String())
	require.Equal(t, "LMS", ConnLMS.String())
	require.Equal(t, ":16992", Addr{"", 16992}.String())
	err := &OpenError{Host: "h\x00", Port: 1, Reason: OpenConnectFailed, Err: ErrBusy}
	require.Equal(t, `apf: open "h\x00" port 1: connect failed: too many channels`, err.Error())
	require.ErrorIs(t, err, ErrBusy)
	require.True(t, (&OpenError{Err: ErrNoAnswer}).Timeout())
}

// TestSecrets: no form of printing shows what a message may hold.
func TestSecrets(t *testing.T) {
	state, err := ControlValue(ActionMEIState, map[string]any{"OsAdmin": map[string]string{"user": "u", "pass": "hunter2"}})
	require.NoError(t, err)
	auth := UserAuthRequest{b("user"), b(ServiceForward), b("password"), b("hunter2")}
	for _, v := range []any{state, &state, auth, &auth, struct{ M Message }{&auth}, []any{state}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			out := fmt.Sprintf(verb, v)
			require.NotContains(t, out, "hunter2")
			require.NotContains(t, out, "68756e74657232")
			require.NotContains(t, out, fmt.Sprint([]byte("hunter2"))[1:20])
		}
	}
	session := NewServerSession(ServerSessionConfig{})
	_, _, err = session.Handle(nil, isLMS, time.Time{})
	require.NoError(t, err)
	_, _, err = session.Handle(nil, &state, time.Time{})
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		out := fmt.Sprintf(verb, session)
		require.NotContains(t, out, "hunter2")
		require.NotContains(t, out, "68756e74657232")
	}
	// Nor does a device's configuration, and where it is kept.
	cfg := DeviceConfig{ConnType: ConnLMS, Password: NewSecret("hunter2"), MEIState: NewSecret(`{"OsAdmin":{"user":"u","pass":"hunter2"}}`)}
	device := NewDeviceConn(nil, &cfg)
	for _, v := range []any{cfg, &cfg, cfg.MEIState, device.dev, []any{cfg}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			out := fmt.Sprintf(verb, v)
			require.NotContains(t, out, "hunter2")
			require.NotContains(t, out, "68756e74657232")
			require.NotContains(t, out, fmt.Sprint([]byte("hunter2"))[1:20])
		}
	}
	text, err := json.Marshal(cfg.MEIState)
	require.NoError(t, err)
	require.Equal(t, `"[redacted]"`, string(text))
	text, err = json.Marshal(state)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "control", state, "mei", cfg.MEIState, "password", cfg.Password)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", cfg)
	require.Contains(t, log.String(), "meiState")
	require.NotContains(t, log.String(), "hunter2")
}

// TestControl: what is written is ASCII, and what is read must be an object with an action.
func TestControl(t *testing.T) {
	j, err := NewJSONControl(map[string]string{"action": "console", "msg": "Grüße 😀 <\u2028>"})
	require.NoError(t, err)
	for _, c := range j.JSON() {
		require.Less(t, c, byte(0x80))
	}
	var v struct{ Action, Msg string }
	require.NoError(t, j.Decode(&v))
	require.Equal(t, "Grüße 😀 <\u2028>", v.Msg)
	require.Equal(t, "console", j.Action())
	require.Nil(t, j.Value())

	require.Equal(t, meaning("json-console"), show(new(ControlConsole("Invalid login username/password"))))
	require.Equal(t, meaning("json-mestate"), show(new(Control(ActionMEState))))
	_, err = NewJSONControl(map[string]string{"msg": "x"})
	require.Error(t, err)
	_, err = NewJSONControl(func() {})
	require.Error(t, err)

	for text, ok := range map[string]bool{
		`{"action":"x"}`: true, `{"action":"x","value":[[[["]]]]]}"]]]]}`: true,
		``: false, `5`: false, `null`: false, `[]`: false, `{"x":1}`: false, `{"action":5}`: false, `{"action":"x"`: false,
		"{\"action\":\"\xff\"}": false, `"action"`: false, `{"action":"x","v":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`: false,
	} {
		err := JSONControl{[]byte(text)}.check()
		require.Equal(t, ok, err == nil, text)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
		}
	}
}

func meaning(name string) string {
	for _, v := range meanings {
		if v.name == name {
			return show(v.m)
		}
	}
	return ""
}

func TestErrorText(t *testing.T) {
	err := inPhase(PhaseLogin, malformed(TypeJSONControl, "no JSON"))
	require.Equal(t, "apf: login: JSON_CONTROL: malformed message: no JSON", err.Error())
	require.ErrorIs(t, err, ErrMalformed)
	var e *Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, TypeJSONControl, e.Type)
	require.Equal(t, "apf: session: peer disconnected: by application",
		inPhase(PhaseSession, &DisconnectError{DisconnectByApplication}).Error())
}
