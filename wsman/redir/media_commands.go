package redir

// command answers a command, or makes it the read that is under way.
func (s *MediaServer) command(b []byte, raw *IDERCommand) []byte {
	c := ParseSCSI(raw.CDB)
	d := &s.drives[driveIndex(raw.Drive())]
	none := d.size == 0

	end := func(sense Sense) []byte { return s.end(b, d.id, c, sense) }
	data := func(content []byte, allocation int) []byte {
		if allocation < len(content) {
			content = content[:allocation]
		}
		if len(content) == 0 {
			return end(SenseGood)
		}
		return s.answer(b, raw, byte(d.id), c, content)
	}
	const whole = 1 << 16 // the command does not say how much the host takes

	switch c.Op {
	case OpTestUnitReady:
		switch {
		case none:
			return end(SenseNoMedium)
		case !d.ready:
			d.ready = true
			return end(SenseMediumChanged)
		}
		return end(SenseGood)
	case OpRequestSense:
		return data(d.senseData(), c.Allocation)
	case OpInquiry:
		if c.Only {
			return end(SenseBadField)
		}
		return data(d.inquiry(), c.Allocation)
	case OpRead6, OpRead10, OpRead12:
		return s.read(b, d, c, raw.DMA())
	case OpWrite6:
		return end(SenseNoMedium)
	case OpWrite10, OpWriteVerify10:
		return s.refuseWrite(b, d, c)
	case OpModeSense6:
		switch {
		case c.Page != 0x3F || c.SubPage != 0:
			return end(SenseBadField)
		case none:
			return end(SenseNoMedium)
		}
		return data([]byte{0, bit(d.id == CD, 5), 0x80, 0}, whole)
	case OpModeSense10:
		pages := d.modePages(c.Page)
		if pages == nil {
			return end(SenseBadCommand)
		}
		return data(pages, c.Allocation)
	case OpStartStop:
		return end(SenseGood)
	case OpPreventRemoval:
		if none {
			return end(SenseNoMedium)
		}
		return end(SenseGood)
	case OpFormatCapacities:
		if none {
			return end(SenseBadField)
		}
		return data(d.formatCapacities(), c.Allocation)
	case OpReadCapacity:
		if none {
			return end(SenseNoMedium)
		}
		return s.answer(b, raw, raw.Select, c, d.capacity())
	case OpReadTOC:
		if d.id == Floppy {
			return end(SenseBadCommand)
		}
		if none {
			return end(SenseNoMedium)
		}
		toc := d.toc(c.Format, c.MSF)
		if toc == nil {
			return end(SenseBadField)
		}
		return data(toc, c.Allocation)
	case OpGetConfiguration:
		if d.id == Floppy {
			return end(SenseBadCommand)
		}
		return data(configuration(c.Feature, c.Only), c.Allocation)
	case OpEventStatus:
		if !c.Polled && c.Events != 0x10 {
			return end(SenseBadField)
		}
		return data([]byte{0, bit(!none, 2), 0x80, 0}, whole)
	case OpGetPerformance:
		return data([]byte{0, 0, 0, 4, 2, 0, 0, 0}, whole)
	case OpReadDiscInfo, OpModeSelect10:
		return end(SenseBadCommand)
	default:
		return end(SenseBadCommand)
	}
}

// answer appends data that is no part of the medium, cut to the device's buffer.
func (s *MediaServer) answer(b []byte, raw *IDERCommand, selected byte, c SCSICommand, content []byte) []byte {
	s.finished(raw.Drive(), c, SenseGood)
	for {
		n := min(len(content), int(s.device.ReadBuffer))
		b = s.sent(b, IDERDataToHost{
			Sequence: s.next(), Select: selected, Completed: n == len(content), DMA: raw.DMA(), Data: content[:n],
		}.Append(b))
		if content = content[n:]; len(content) == 0 {
			return b
		}
	}
}

// read makes a read the one under way.
func (s *MediaServer) read(b []byte, d *drive, c SCSICommand, dma bool) []byte {
	switch {
	case d.size == 0:
		return s.end(b, d.id, c, SenseNoMedium)
	case int64(c.LBA)+int64(c.Blocks) > d.blocks():
		return s.end(b, d.id, c, SenseBadAddress)
	case c.Blocks == 0:
		return s.end(b, d.id, c, SenseGood)
	}
	s.stats.Reads[driveIndex(d.id)]++
	size := d.id.BlockSize()
	s.job = readJob{drive: d.id, dma: dma, offset: int64(c.LBA) * size, left: int64(c.Blocks) * size, command: c}
	return b
}

// refuseWrite asks for what the host wants to write, because it expects to be asked, and refuses it then.
func (s *MediaServer) refuseWrite(b []byte, d *drive, c SCSICommand) []byte {
	n := min(int64(c.Blocks)*512, int64(s.device.WriteBuffer))
	if n == 0 {
		return s.end(b, d.id, c, SenseWriteProtected)
	}
	s.writing, s.write = d.id, c
	return s.sent(b, IDERGetData{s.next(), d.id, uint16(n)}.Append(b)) //nolint:gosec // at most the buffer
}
