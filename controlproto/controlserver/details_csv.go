package controlserver

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// detailsHeader names the columns of device details as CSV.
const detailsHeader = "id,name,rname,host,icon,ip,osdesc,groupname,av,update,firewall,bitlocker,avdetails,tags,lastbootuptime," +
	"cpu,osbuild,biosDate,biosVendor,biosVersion,biosSerial,biosMode,boardName,boardVendor,boardVersion,productUuid," +
	"tpmversion,tpmmanufacturer,tpmmanufacturerversion,tpmisactivated,tpmisenabled,tpmisowned,totalMemory," +
	"agentOpenSSL,agentCommitDate,agentCommitHash,agentCompileTime,netIfCount,macs,addresses,lastConnectTime,lastConnectAddr\r\n"

// cell is a text as a field; what has a meaning in CSV is dropped, as on the stock server.
func cell(s string) string {
	return `"` + strings.NewReplacer(`"`, "", ",", "", "\r", "", "\n", "").Replace(s) + `"`
}

// cellOr is a field that is empty, without quotes, when there is no text.
func cellOr(s string) string {
	if s == "" {
		return ""
	}
	return cell(s)
}

func (s *Server) detailsCSV(list []deviceDetail, req *controlproto.GetDeviceDetails) string {
	var b strings.Builder
	b.WriteString(detailsHeader)
	for i := range list {
		d := &list[i]
		fields := nodeCells(d)
		fields = append(fields, systemCells(d.System)...)
		fields = append(fields, agentCells(d.System)...)
		fields = append(fields, networkCells(d.Network)...)
		fields = append(fields, connectCells(d.LastConnect, req)...)
		b.WriteString(strings.Join(fields, ","))
		b.WriteString("\r\n")
	}
	return b.String()
}

func nodeCells(d *deviceDetail) []string {
	n := &d.Device
	icon := max(1, int(n.Icon))
	fields := []string{
		cell(string(n.ID)), cell(n.Name), cell(n.RName), cell(n.Host), strconv.Itoa(icon), strings.Trim(cell(n.IP), `"`), cellOr(n.OSDesc),
		cell(n.GroupName),
	}
	if w := n.Windows; w != nil {
		fields = append(fields, cell(w.AntiVirus), cell(w.AutoUpdate), cell(w.Firewall))
	} else {
		fields = append(fields, "", "", "")
	}
	bitlocker, av, tags, boot := "", "", "", ""
	if v := n.Extra["volumes"]; len(v) > 0 && v[0] == '{' {
		var parts []string
		// What cannot be read has no lines here.
		_ = jsonrec.Members(v, func(letter string, volume json.RawMessage) error {
			if m := look(volume, "protectionStatus"); m != nil {
				parts = append(parts, letter+"/"+text(look(volume, "volumeStatus")))
			}
			return nil
		})
		bitlocker = cell(strings.Join(parts, "|"))
	}
	if n.AntiVirus != nil {
		var parts []string
		for _, a := range n.AntiVirus {
			state := a.Product + "/disabled"
			if a.Enabled {
				state = a.Product + "/enabled"
			}
			if a.Updated {
				state += "/updated"
			} else {
				state += "/notupdated"
			}
			parts = append(parts, state)
		}
		av = cell(strings.Join(parts, "|"))
	}
	if n.Tags != nil {
		tags = cell(strings.Join(n.Tags, "|"))
	}
	if !n.LastBoot.IsZero() {
		boot = strconv.FormatInt(n.LastBoot.UnixMilli(), 10)
	}
	return append(fields, bitlocker, av, tags, boot)
}

// look finds a value by its path in nested objects and, by numbers, arrays; nil if there is none.
func look(v json.RawMessage, path ...string) json.RawMessage {
	for _, name := range path {
		if len(v) == 0 {
			return nil
		}
		switch v[0] {
		case '{':
			m, err := jsonrec.Peek(v, name)
			if err != nil {
				return nil
			}
			v = m[0]
		case '[':
			var list []json.RawMessage
			n, err := strconv.Atoi(name)
			if err != nil || json.Unmarshal(v, &list) != nil || n >= len(list) {
				return nil
			}
			v = list[n]
		default:
			return nil
		}
	}
	return v
}

// text is a value as text; objects and lists are none.
func text(v json.RawMessage) string {
	if len(v) == 0 || v[0] == '{' || v[0] == '[' || string(v) == "null" {
		return ""
	}
	var s string
	if v[0] == '"' {
		_ = json.Unmarshal(v, &s) // it is JSON that was checked
		return s
	}
	return string(v)
}

// systemColumns is how many columns there are on the hardware.
const systemColumns = 18

func systemCells(doc *raw) []string {
	fields := make([]string, systemColumns)
	if doc == nil {
		return fields
	}
	h := doc.Extra["hardware"]
	at := func(column int, path ...string) {
		if fields[column] == "" {
			fields[column] = cellOr(text(look(h, path...)))
		}
	}
	tpm := func() {
		for i, name := range []string{"SpecVersion", "ManufacturerId", "ManufacturerVersion"} {
			at(11+i, "tpm", name)
		}
		for i, name := range []string{"IsActivated", "IsEnabled", "IsOwned"} {
			if v := text(look(h, "tpm", name)); v != "" && v != "false" && v != "0" {
				fields[14+i] = cell("true")
			}
		}
	}
	switch {
	case look(h, "windows") != nil:
		at(0, "windows", "cpu", "0", "Name")
		at(1, "windows", "osinfo", "BuildNumber")
		for i, name := range []string{
			"bios_date", "bios_vendor", "bios_version", "bios_serial", "bios_mode", "board_name", "board_vendor", "board_version", "product_uuid",
		} {
			at(2+i, "identifiers", name)
		}
		tpm()
		fields[17] = memoryCell(look(h, "windows", "memory"), "Capacity", 1)
	case look(h, "mobile") != nil:
		at(4, "mobile", "bootloader")
		at(7, "mobile", "model")
		at(8, "mobile", "brand")
		at(10, "mobile", "id")
	case look(h, "linux") != nil:
		at(0, "identifiers", "cpu_name")
		at(2, "linux", "bios_date")
		at(3, "linux", "bios_vendor")
		at(4, "linux", "bios_version")
		at(5, "linux", "product_serial")
		at(5, "identifiers", "bios_serial")
		at(6, "identifiers", "bios_mode")
		at(7, "linux", "board_name")
		at(8, "linux", "board_vendor")
		at(9, "linux", "board_version")
		at(10, "linux", "product_uuid")
		tpm()
		fields[17] = memoryCell(look(h, "linux", "memory", "Memory_Device"), "Size", 1<<30)
	}
	return fields
}

// memoryCell adds up the sizes of modules.
func memoryCell(modules json.RawMessage, member string, unit float64) string {
	if modules == nil {
		return ""
	}
	var list []json.RawMessage
	if json.Unmarshal(modules, &list) != nil {
		return ""
	}
	sum := 0.0
	for _, m := range list {
		number, _, _ := strings.Cut(strings.TrimSpace(text(look(m, member))), " ") // "16 GB"
		if n, err := strconv.ParseFloat(number, 64); err == nil && n > 0 && n < 1<<50 {
			sum += n
		}
	}
	return cell(strconv.FormatFloat(sum*unit, 'f', -1, 64))
}

func agentCells(doc *raw) []string {
	fields := make([]string, 4)
	if doc != nil {
		for i, name := range []string{"openssl", "commitDate", "commitHash", "compileTime"} {
			fields[i] = cellOr(text(look(doc.Extra["hardware"], "agentvers", name)))
		}
	}
	return fields
}

func networkCells(doc *raw) []string {
	if doc == nil || len(doc.Extra["netif2"]) == 0 || doc.Extra["netif2"][0] != '{' {
		return []string{"", "", ""}
	}
	n := 0
	var macs, addresses []string
	// What cannot be read has no addresses here.
	_ = jsonrec.Members(doc.Extra["netif2"], func(_ string, v json.RawMessage) error {
		n++
		var list []json.RawMessage
		if len(v) == 0 || v[0] != '[' || json.Unmarshal(v, &list) != nil {
			return nil
		}
		for _, one := range list {
			if m := text(look(one, "mac")); m != "" {
				macs = append(macs, m)
			}
			if a := text(look(one, "address")); a != "" {
				addresses = append(addresses, a)
			}
		}
		return nil
	})
	return []string{strconv.Itoa(n), cell(strings.Join(macs, " ")), cell(strings.Join(addresses, " "))}
}

func connectCells(last *controlproto.LastConnect, req *controlproto.GetDeviceDetails) []string {
	if last == nil {
		return []string{"", ""}
	}
	at := ""
	switch {
	case last.Time.IsZero():
	case req.Language != "" && req.TimeZone != "":
		at = cell(localTime(last.Time, req.TimeZone, "1/2/2006, 3:04:05 PM"))
	default:
		at = strconv.FormatInt(last.Time.UnixMilli(), 10)
	}
	return []string{at, cellOr(last.Addr)}
}

// localTime writes a time as in American English, whatever the language, in a time zone; in UTC if that is not known here.
func localTime(t time.Time, zone, layout string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return t.In(loc).Format(layout)
}
