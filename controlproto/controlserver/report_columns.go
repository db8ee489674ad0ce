package controlserver

import "encoding/json"

// reportColumn says how a member of a report's lines is shown: controlproto.ReportColumn, except that the sum may be of all.
type reportColumn struct {
	ID     string          `json:"id"`
	Title  string          `json:"title"`
	Format string          `json:"format"`
	Align  string          `json:"align"`
	SumBy  json.RawMessage `json:"sumBy"`
}

// Columns of reports (meshuser.js, remoteSessionReport and the ones behind it).
var (
	columnDateTime = reportColumn{ID: "time", Title: "time", Format: "datetime"}
	columnTime     = reportColumn{ID: "time", Title: "time", Format: "time"}
	columnDevice   = reportColumn{ID: "nodeid", Title: "device", Format: "node"}
	columnGroup    = reportColumn{ID: "meshid", Title: "devgroup", Format: "mesh"}
	columnUser     = reportColumn{ID: "userid", Title: "user", Format: "user"}
	columnGuest    = reportColumn{ID: "guestname", Title: "guest", Align: "center"}
	columnProtocol = reportColumn{ID: "protocol", Title: "session", Format: "protocol", Align: "center"}
	columnIP       = reportColumn{ID: "ip", Title: "ip"}
	columnBrowser  = reportColumn{ID: "browser", Title: "browser"}
	columnOS       = reportColumn{ID: "os", Title: "os"}
	columnFactor   = reportColumn{ID: "twofactor", Title: "twofactor", Format: "2fa"}
	columnMsg      = reportColumn{ID: "msg", Title: "msg", Format: "msg"}
	columnRecord   = reportColumn{ID: "record", Title: "Record", Format: "records"}
)

// By what a column is added up.
const (
	sumAll      = "true"
	sumProtocol = `"protocol"`
)

// columnSum is a column of numbers.
func columnSum(name, format, by string) reportColumn {
	return reportColumn{ID: name, Title: name, Format: format, Align: "center", SumBy: json.RawMessage(by)}
}
