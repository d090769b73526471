-- Continue the selected item.
local folder = ({reaper.get_action_context()})[2]:match("^(.*[/\\])")
dofile(folder .. "audiogen.lua").continue()
