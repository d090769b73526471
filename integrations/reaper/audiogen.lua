-- audiogen for REAPER: continues, fills or loops selected items through the command line of audiogen.
-- The three actions beside this file load it; README.md says how to install them.
--
-- An item is exported at its own rate and pitch, before effects, so the project's own files are never touched. New parts
-- become new items with their takes; existing items stay where they are.

local audiogen = {}

audiogen.SECTION = "audiogen" -- of REAPER's extended state, where settings are kept
audiogen.BLOCK = 65536        -- samples exported at a time
audiogen.MAX_BYTES = 4294967000 -- of the samples of a WAV
audiogen.BUILD_PEAKS = 40047  -- the action "Peaks: Build any missing peaks"

function audiogen.setting(name, default)
  local value = reaper.GetExtState(audiogen.SECTION, name)
  return value ~= "" and value or default
end

-- Quote an argument for the command line that ExecProcess takes. Windows: by the rules of the C runtime. Elsewhere: in
-- quotes that hold no character with a meaning, so that it does not matter whether a shell reads them.
function audiogen.quoted(text)
  if reaper.GetOS():match("Win") then return '"' .. text:gsub('(\\*)"', '%1%1\\"'):gsub("\\+$", "%0%0") .. '"' end
  if not text:find("'") then return "'" .. text .. "'" end
  if not text:find('["$`\\]') then return '"' .. text .. '"' end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Run a command to its end; return its exit code and what it printed, or nil if it could not be started.
local function execute(words)
  local quoted = {}
  for index, word in ipairs(words) do quoted[index] = audiogen.quoted(tostring(word)) end
  local result = reaper.ExecProcess(table.concat(quoted, " "), 0)
  if not result then return nil end
  local code, output = result:match("^(%-?%d+)\r?\n?(.*)$")
  return tonumber(code) or 1, output or ""
end

-- The path of audiogen: the one that was set, or the one that a terminal would find, since ExecProcess does not search.
local function command()
  local set = audiogen.setting("command", "")
  if set ~= "" then return set end
  local search = {"/bin/sh", "-lc", "command -v audiogen"}
  if reaper.GetOS():match("Win") then search = {"cmd.exe", "/Q", "/C", "where audiogen"} end
  if reaper.GetOS():match("OSX") or reaper.GetOS():match("macOS") then search[1] = "/bin/zsh" end
  local code, output = execute(search)
  local found = code == 0 and output:match("[^\r\n]+") -- of several, the first
  if found then reaper.SetExtState(audiogen.SECTION, "command", found, false) end -- until REAPER ends
  return found
end

-- What audiogen says of an error: in a line on stderr, which is not always handed on, and as JSON on stdout.
local function message_of(code, output)
  local line = output:match("audiogen: error: ([^\r\n]*)") or output:match("audiogen: failed: ([^\r\n]*)")
  if line then return line end
  local subject, cause, cure = output:match('"subject": "(.-)",%s+"cause": "(.-)",%s+"cure": "(.-)"%s')
  if not cause then return output ~= "" and output or "audiogen ended with code " .. code end
  local text = subject .. ": " .. cause .. (cure ~= "" and "; " .. cure or "")
  return (text:gsub('\\(["\\])', "%1"))
end

-- Run audiogen; return nothing, or what went wrong.
function audiogen.run(arguments)
  local path = command()
  if not path then return "REAPER does not find audiogen; README.md says how to set its path" end
  local code, output = execute({path, table.unpack(arguments)})
  if not code then return path .. " could not be started; README.md says how to set the path of audiogen" end
  if code ~= 0 then return message_of(code, output) end
end

function audiogen.complain(text) reaper.ShowMessageBox(text, "audiogen", 0) end

-- Ask for values with their defaults, which are kept for the next time. Return a list, or nil if cancelled.
function audiogen.ask(title, names, defaults)
  local values = {}
  for index, name in ipairs(names) do values[index] = audiogen.setting(title .. "/" .. name, defaults[index]) end
  local captions = table.concat(names, ",") .. ",separator=\n" -- not a comma, which may be a decimal one
  local accepted, text = reaper.GetUserInputs("audiogen: " .. title, #names, captions, table.concat(values, "\n"))
  if not accepted then return nil end
  local given = {}
  for value in (text .. "\n"):gmatch("([^\n]*)\n") do given[#given + 1] = value:gsub(",", ".") end
  for index, name in ipairs(names) do
    reaper.SetExtState(audiogen.SECTION, title .. "/" .. name, given[index] or "", true)
  end
  return given
end

-- New file names in the folder of the project's recordings, one for each number that audiogen puts before the suffix;
-- none of them, and no sidecar, exists. Return the name to hand to audiogen, and the names of the files.
function audiogen.new_files(stem, suffix, count)
  local folder, safe, number = reaper.GetProjectPath(""), stem:gsub("[^%w%-]", "_"), 0
  while true do
    number = number + 1
    local base, taken, paths = string.format("%s/%s-%s-%03d", folder, safe, suffix, number), false, {}
    for index = 1, count do paths[index] = base .. (count > 1 and "-" .. index or "") end
    for index, path in ipairs(paths) do
      taken = taken or reaper.file_exists(path .. ".wav") or reaper.file_exists(path .. ".json")
      paths[index] = path .. ".wav"
    end
    if not taken then return base .. ".wav", paths end
  end
end

-- Export what an item plays as a 32-bit float WAV. Return its sample rate, or nil and the reason.
function audiogen.export(item, path)
  local take = reaper.GetActiveTake(item)
  if not take or reaper.TakeIsMIDI(take) then return nil, "select an item with audio" end
  local source = reaper.GetMediaItemTake_Source(take)
  local rate, channels = reaper.GetMediaSourceSampleRate(source), reaper.GetMediaSourceNumChannels(source)
  local frames = math.floor(reaper.GetMediaItemInfo_Value(item, "D_LENGTH") * rate + 0.5)
  local bytes = frames * channels * 4
  if bytes < 1 or rate < 1 then return nil, "the item is empty" end
  if bytes > audiogen.MAX_BYTES then return nil, "the item is too long to be exported; split it" end
  local file, reason = io.open(path, "wb")
  if not file then return nil, reason end
  file:write("RIFF", string.pack("<I4", 36 + bytes), "WAVEfmt ", string.pack("<I4I2I2I4I4I2I2", 16, 3, channels, rate,
    rate * channels * 4, channels * 4, 32), "data", string.pack("<I4", bytes))
  local accessor, failed = reaper.CreateTakeAudioAccessor(take), false
  local buffer = reaper.new_array(audiogen.BLOCK * channels)
  for start = 0, frames - 1, audiogen.BLOCK do
    local count = math.min(audiogen.BLOCK, frames - start)
    buffer.clear()
    failed = reaper.GetAudioAccessorSamples(accessor, rate, channels, start / rate, count, buffer) < 0 -- 0: silence
    if failed then break end
    local values, packed = buffer.table(1, count * channels), {}
    for index = 1, #values do packed[index] = string.pack("<f", values[index]) end
    file:write(table.concat(packed))
  end
  reaper.DestroyAudioAccessor(accessor)
  file:close()
  if failed then
    os.remove(path)
    return nil, "REAPER cannot read the sound of the item"
  end
  return rate
end

-- Lay files as the takes of one new item, the first of them active, as one step of undo. Return nothing, or why not.
function audiogen.lay(title, track, position, paths, name, repeats)
  local sources, length = {}, 0
  for index, path in ipairs(paths) do
    sources[index] = reaper.PCM_Source_CreateFromFile(path)
    if not sources[index] then return "REAPER cannot open " .. path end
  end
  reaper.Undo_BeginBlock()
  local item, takes = reaper.AddMediaItemToTrack(track), {}
  for index, source in ipairs(sources) do
    takes[index] = reaper.AddTakeToMediaItem(item)
    reaper.SetMediaItemTake_Source(takes[index], source)
    reaper.GetSetMediaItemTakeInfo_String(takes[index], "P_NAME", name .. (#sources > 1 and " " .. index or ""), true)
    length = math.max(length, (reaper.GetMediaSourceLength(source)))
  end
  reaper.SetActiveTake(takes[1])
  reaper.SetMediaItemInfo_Value(item, "D_POSITION", position)
  reaper.SetMediaItemInfo_Value(item, "D_LENGTH", length)
  reaper.SetMediaItemInfo_Value(item, "D_FADEINLEN", 0) -- the join is seamless as it is
  reaper.SetMediaItemInfo_Value(item, "D_FADEOUTLEN", 0)
  reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", repeats and 1 or 0)
  reaper.Undo_EndBlock("audiogen: " .. title, -1)
  reaper.Main_OnCommand(audiogen.BUILD_PEAKS, 0) -- which REAPER does for files that are dropped, not for a script's
  reaper.UpdateArrange()
end

local function name_of(item)
  local take = reaper.GetActiveTake(item)
  local name = (take and reaper.GetTakeName(take) or ""):gsub("%.%w+$", "")
  return name ~= "" and name or "item"
end

local function span_of(item)
  local start = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  return start, start + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
end

-- Export an item; return the name of the file, or nil and the reason.
local function exported(item, suffix)
  local path = audiogen.new_files(name_of(item), suffix, 1)
  local rate, reason = audiogen.export(item, path)
  return rate and path, reason
end

-- Run audiogen on exported files and lay what it writes as the takes of a new item; complain where that fails.
local function make(title, item, suffix, takes, position, arguments, repeats)
  local out, paths = audiogen.new_files(name_of(item), suffix, takes)
  for _, word in ipairs({"-o", out, "--json"}) do arguments[#arguments + 1] = word end
  local track, name = reaper.GetMediaItemTrack(item), name_of(item) .. " " .. suffix
  local problem = audiogen.run(arguments) or audiogen.lay(title, track, position, paths, name, repeats)
  if problem then audiogen.complain(problem) end
end

-- Make takes of the selected item's sound, and lay them after it.
local function tails(title, wish, suffix, defaults, options, repeats)
  local item = reaper.GetSelectedMediaItem(0, 0)
  if not item then return audiogen.complain("select the item to " .. wish) end
  local given = audiogen.ask(title, {"seconds", "takes", "training time limit (0: none)"}, defaults)
  if not given then return end
  local prompt, reason = exported(item, "prompt")
  if not prompt then return audiogen.complain(reason) end
  local takes = math.max(1, math.floor(tonumber(given[2]) or 1))
  local arguments = {"continue", prompt, "--tail-only", "--seconds", given[1], "--variations", takes, "--budget",
    given[3]}
  for _, word in ipairs(options) do arguments[#arguments + 1] = word end
  local _, finish = span_of(item)
  make(title, item, suffix, takes, finish, arguments, repeats)
end

-- Continue the selected item: the new part, with its takes, follows its end, even if that is a fade.
function audiogen.continue() tails("continue", "continue", "continued", {"30", "3", "0"}, {"--keep-edges"}) end

-- Make a seamless loop of the selected item's texture, on the same track after it, set to repeat.
function audiogen.loop()
  tails("loop", "make a loop of", "loop", {"20", "1", "0"}, {"--loop"}, true)
end

-- The position of the gap to fill, and audiogen's arguments for it; nil and the reason if there is none.
local function gap_of(first, second)
  local start, finish = span_of(first)
  if second then
    local next_start = span_of(second)
    if reaper.GetMediaItemTrack(first) ~= reaper.GetMediaItemTrack(second) or next_start <= finish then
      return nil, "the two items must lie on one track, with a gap between them"
    end
    return finish, {"--seconds", string.format("%.9f", next_start - finish)}
  end
  local from, to = reaper.GetSet_LoopTimeRange(false, false, 0, 0, false)
  if from <= start or to >= finish or to <= from then return nil, "make a time selection inside the item" end
  return from, {"--from", string.format("%.9f", from - start), "--to", string.format("%.9f", to - start)}
end

-- Fill the gap between two selected items of a track, or the time selection inside one selected item.
function audiogen.fill()
  local first, second = reaper.GetSelectedMediaItem(0, 0), reaper.GetSelectedMediaItem(0, 1)
  if second and span_of(second) < span_of(first) then first, second = second, first end
  if not first then return audiogen.complain("select two items, or one and a time selection in it") end
  local position, arguments = gap_of(first, second)
  if not position then return audiogen.complain(arguments) end
  local words = {"fill"}
  for index, item in ipairs({first, second}) do
    local path, reason = exported(item, index == 1 and "before" or "after")
    if not path then return audiogen.complain(reason) end
    words[#words + 1] = path
  end
  for _, word in ipairs(arguments) do words[#words + 1] = word end
  for _, word in ipairs({"--gap-only", "--budget", "0"}) do words[#words + 1] = word end
  make("fill", first, "filled", 1, position, words)
end

return audiogen
