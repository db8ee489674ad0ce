package controlproto

import "encoding/json"

var amtActions = []Spec{
	{
		Action: "amt", Request: func() Message { return new(AMT) }, Reply: func() Message { return new(AMTReply) },
		Key: "nodeid",
	},
	{
		Action: "amtsetupbin", Request: func() Message { return new(AMTSetupBin) },
		Reply: func() Message { return new(AMTSetupBinReply) },
	},
	{
		Action: "sendmqttmsg", Request: func() Message { return new(SendMQTTMsg) }, Replies: RepliesOnError,
		Echo: EchoResponseID,
	},
	{
		Action: "getmqttlogin", Request: func() Message { return new(GetMQTTLogin) },
		Reply: func() Message { return new(GetMQTTLoginReply) }, Echo: EchoResponseID,
	},
}

// AMTMode is how the server reaches Intel AMT.
type AMTMode int

// Modes.
const (
	AMTDirect AMTMode = 1
	AMTCIRA   AMTMode = 2
)

// AMT asks Intel AMT of a device. Client to server. Needs [RemoteControl]; silent if denied or not connected so.
// (meshuser.js, case 'amt')
//
//	{"action":"amt","nodeid":"node//...","mode":2,"command":"Get-GeneralSettings"}
type AMT struct {
	DeviceID ID                         `json:"nodeid"`
	Mode     AMTMode                    `json:"mode,keep"`
	Command  string                     `json:"command"` // "Get-GeneralSettings"
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "amt".
func (*AMT) Action() string { return "amt" }

func (*AMT) reply() *AMTReply { return new(AMTReply) }

// AMTReply is what Intel AMT said. Server to client.
//
//	{"action":"amt","nodeid":"node//...","command":"Get-GeneralSettings","value":{...}}
type AMTReply struct {
	DeviceID ID                         `json:"nodeid"`
	Command  string                     `json:"command"`
	Value    json.RawMessage            `json:"value"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "amt".
func (*AMTReply) Action() string { return "amt" }

// AMTSetupBin asks for the file for a memory stick that sets up Intel AMT. Client to server. Silent when a password is
// not of 8 to 16 characters. (meshuser.js, case 'amtsetupbin')
//
//	{"action":"amtsetupbin","oldmebxpass":"admin","newmebxpass":"...","baremetal":false}
type AMTSetupBin struct {
	OldPassword Secret                     `json:"oldmebxpass"` // of the BIOS extension; "admin" in new machines
	NewPassword Secret                     `json:"newmebxpass"`
	BareMetal   bool                       `json:"baremetal"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "amtsetupbin".
func (*AMTSetupBin) Action() string { return "amtsetupbin" }

func (*AMTSetupBin) reply() *AMTSetupBinReply { return new(AMTSetupBinReply) }

// AMTSetupBinReply is the file; it holds both passwords. Server to client.
//
//	{"action":"amtsetupbin","file":"..."}
type AMTSetupBinReply struct {
	File  Secret                     `json:"file"` // base64
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "amtsetupbin".
func (*AMTSetupBinReply) Action() string { return "amtsetupbin" }

// SendMQTTMsg publishes to devices by MQTT. Client to server. Takes any right; whole ids. Only errors are answered.
// (meshuser.js, case 'sendmqttmsg')
//
//	{"action":"sendmqttmsg","nodeids":["node//..."],"topic":"x","msg":"y","responseid":"x"}
type SendMQTTMsg struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Topic     string                     `json:"topic"` // at most 64 characters
	Msg       string                     `json:"msg"`   // at most 4096 characters
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "sendmqttmsg".
func (*SendMQTTMsg) Action() string { return "sendmqttmsg" }

func (*SendMQTTMsg) reply() *Result { return new(Result) }

// GetMQTTLogin asks for what a device needs to connect by MQTT. Client to server. Needs full rights. (meshuser.js, case
// 'getmqttlogin')
//
//	{"action":"getmqttlogin","nodeid":"node//...","responseid":"x"}
type GetMQTTLogin struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "getmqttlogin".
func (*GetMQTTLogin) Action() string { return "getmqttlogin" }

func (*GetMQTTLogin) reply() *GetMQTTLoginReply { return new(GetMQTTLoginReply) }

// GetMQTTLoginReply is the login. Server to client. Errors come as a [Result].
//
//	{"action":"getmqttlogin","responseid":"x","nodeid":"node//...","user":"...","pass":"...","wsUrl":"wss://...","wsTrustedCert":true}
type GetMQTTLoginReply struct {
	DeviceID      ID                         `json:"nodeid"`
	User          string                     `json:"user"`
	Password      Secret                     `json:"pass"`
	MPSURL        string                     `json:"mpsUrl"`
	MPSHash384    string                     `json:"mpsCertHashSha384"`
	MPSHash1      string                     `json:"mpsCertHashSha1"`
	WSURL         string                     `json:"wsUrl"`
	WSTrustedCert bool                       `json:"wsTrustedCert,keep"`
	Extra         map[string]json.RawMessage `json:"-"`
}

// Action is "getmqttlogin".
func (*GetMQTTLoginReply) Action() string { return "getmqttlogin" }
