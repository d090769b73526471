-- Fill the gap between two selected items, or the time selection in one.
local folder = ({reaper.get_action_context()})[2]:match("^(.*[/\\])")
dofile(folder .. "audiogen.lua").fill()
